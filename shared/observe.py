"""What an operator can see: the typed catalogue of metrics, structured logs, trace context."""

import logging
import os
import re
import sys
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram


class Metrics:
    """Every metric of the program, named once."""

    deliveries = Counter("querencia_deliveries", "Deliveries by verdict", ["verdict"])
    signatures = Counter("querencia_signature_failures", "Webhooks with a wrong signature", ["platform"])
    parked = Counter("querencia_parked", "Work parked because our code failed on it", ["service"])
    parked_now = Gauge("querencia_parked_now", "Work parked now", ["service"])
    published = Counter("querencia_published", "Facts the relay has put on the bus", ["service"])
    outbox = Gauge("querencia_outbox_rows", "Facts waiting to be published", ["service"])
    outbox_age = Gauge(
        "querencia_outbox_age_seconds", "How long the oldest live fact has waited to be published", ["service"]
    )
    judged = Counter("querencia_judged", "Facts and timers judged", ["service", "source"])
    batch = Histogram("querencia_batch_seconds", "Seconds a micro-batch took", ["service", "source"])
    lag = Gauge("querencia_consumer_lag", "Facts on the bus this service has not taken in", ["service"])
    timer_lateness = Gauge(
        "querencia_timer_lateness_seconds", "How late the last timer fired, business seconds", ["service"]
    )
    heartbeat_age = Gauge(
        "querencia_heartbeat_age_seconds", "Age of the oldest heartbeat, business seconds", ["service"]
    )
    loop_lag = Gauge("querencia_event_loop_lag_seconds", "How late the event loop came back")
    restarts = Counter("querencia_loop_restarts", "Loops that failed and were started again", ["service", "loop"])
    messages = Counter("querencia_messages", "Messages handed over by outcome", ["channel", "outcome"])
    render_errors = Counter(
        "querencia_render_errors", "Messages whose template could not be filled", ["template", "version"]
    )
    bad_tokens = Counter("querencia_bad_tokens", "Links of mails that were altered or never ours", ["use"])
    sent_after_known_purchase = Counter(
        "querencia_sent_after_known_purchase", "Messages handed over although a purchase that ends them was known"
    )


METRICS = Metrics()
TRACE = "00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"


MASK = "***"
_PERSONAL = re.compile(r"[^\s@'\"<>:,;/]{1,64}@[^\s@'\"<>:,;/]+\.[^\s@'\"<>:,;/]+|\+\d[\d ().-]{6,}\d")


def configure_logs(level: str) -> None:
    """Send all logs, those of libraries too, as JSON lines to standard error, without addresses and phone numbers."""
    entry: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _of_whom,
    ]
    line: list[Any] = [structlog.processors.format_exc_info, _masked, structlog.processors.JSONRenderer()]
    foreign = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=entry, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *line]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(foreign)
    logging.basicConfig(level=level, handlers=[handler])
    for chatty in ("aiokafka", "alembic", "asyncio", "httpx", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*entry, *line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _of_whom(_logger: Any, _method: str, entry: Any) -> Any:
    entry.setdefault("service", "querencia")
    return entry


def _masked(_logger: Any, _method: str, entry: Any) -> Any:
    """An error's text may quote what it failed on: nobody may be known by it."""
    plain = (int, float, type(None))
    return {
        name: value if isinstance(value, plain) else _PERSONAL.sub(MASK, str(value)) for name, value in entry.items()
    }


def traceparent(given: str = "") -> str:
    """The caller's W3C trace context (version 00), or a new one where there is none or it is not one."""
    if re.fullmatch(TRACE, given):
        return given
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
