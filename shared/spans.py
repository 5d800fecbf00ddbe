"""Spans of the OpenTelemetry SDK, sent in batches to a collector (OTLP over HTTP); imported only where one is named."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as OpenSpan

EXPORT_SECONDS = 2.0
KINDS = {"": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT, "producer": SpanKind.PRODUCER}


class Spans:
    """Makes spans for each service of the process and hands them to one sender in a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        self._sender = BatchSpanProcessor(exporter, schedule_delay_millis=1_000)
        self._tracers: dict[str, Tracer] = {}

    def open(self, service: str, name: str, parent: str, kind: str) -> OpenSpan:
        """A span of a service that follows from a W3C trace context."""
        tracer = self._tracers.get(service)
        if tracer is None:
            provider = TracerProvider(resource=Resource({SERVICE_NAME: service}), shutdown_on_exit=False)
            provider.add_span_processor(self._sender)
            tracer = self._tracers[service] = provider.get_tracer("querencia")
        return tracer.start_span(name, set_span_in_context(NonRecordingSpan(_context(parent))), KINDS[kind])

    def close(self) -> None:
        """Send what is left; takes as long as the collector does, at most a few seconds."""
        self._sender.shutdown()  # type: ignore[no-untyped-call]


def _context(parent: str) -> SpanContext:
    _version, trace, span, flags = parent.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def traceparent_of(span: OpenSpan) -> str:
    """The W3C trace context by which others follow from a span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def failed(span: OpenSpan) -> None:
    """Mark a span as one in which something of ours failed."""
    span.set_status(Status(StatusCode.ERROR))
