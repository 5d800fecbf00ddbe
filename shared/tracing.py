"""One trace from a request to the mail that follows from it, for an operator who has named a collector.

Without one no span is made and the SDK is not imported: trace contexts are only passed on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from shared.observe import traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OpenSpan

    from shared.spans import Spans


class Span:
    """One step of a trace under way; `trace` is what its own consequences follow from."""

    def __init__(self, trace: str, under_way: "OpenSpan | None" = None) -> None:
        self.trace = trace
        self._under_way = under_way

    def end(self, *, well: bool = True, name: str = "", **said: str | int) -> None:
        """The step is over; `said` is told along with it."""
        if self._under_way is None:
            return
        if name:
            self._under_way.update_name(name)
        for key, value in said.items():
            self._under_way.set_attribute(key, value)
        if not well:
            from shared.spans import failed  # noqa: PLC0415 - the SDK

            failed(self._under_way)
        self._under_way.end()


class Tracing:
    """Where this process sends its spans; `on` says whether it sends any."""

    def __init__(self) -> None:
        self.on = False
        self._spans: Spans | None = None

    def begin(self, endpoint: str) -> None:
        """From now on spans go to a collector's address (OTLP over HTTP); '' for nowhere."""
        if endpoint and self._spans is None:
            from shared.spans import Spans  # noqa: PLC0415 - 50 ms and 20 MB that nobody else need pay

            self._spans, self.on = Spans(endpoint), True

    def end(self) -> None:
        """Send what is left, and no more from now on."""
        spans, self._spans, self.on = self._spans, None, False
        if spans is not None:
            spans.close()

    def opens(self, name: str, follows: str, *, kind: str = "", service: str = "") -> Span:
        """A step that follows from a trace context; that of the loop's or request's own service, if none is named."""
        if self._spans is None:
            return Span(follows)
        from shared.spans import traceparent_of  # noqa: PLC0415 - the SDK

        owner = service or str(structlog.contextvars.get_contextvars().get("service", "querencia"))
        under_way = self._spans.open(owner, name, traceparent(follows), kind)
        return Span(traceparent_of(under_way), under_way)


TRACING = Tracing()
_HEADER = b"traceparent"


@contextmanager
def requested(scope: Any, send: Any, service: str) -> Iterator[tuple[Any, Any]]:
    """A step for an HTTP request: the scope and `send` to answer it with, so that what it causes follows from it."""
    headers = dict(scope["headers"])
    span = TRACING.opens(scope["method"], headers.get(_HEADER, b"").decode("latin-1"), kind="server", service=service)
    others = [(name, value) for name, value in scope["headers"] if name != _HEADER]
    within = {**scope, "headers": [*others, (_HEADER, span.trace.encode())]}
    status = 0

    async def reply(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        await send(message)

    try:
        yield within, reply
    finally:
        path = getattr(within.get("route"), "path", "") or "/".join(scope["path"].split("/")[:3])
        said = {"http.request.method": scope["method"], "http.route": path, "http.response.status_code": status}
        span.end(well=0 < status < 500, name=f"{scope['method']} {path}", **said)
