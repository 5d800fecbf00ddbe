"""What an operator can see: the typed catalogue of metrics, structured logs, trace context."""

import logging
import os
import sys

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


def configure_logs(level: str) -> None:
    """Send structured logs as JSON lines to standard error."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s")
    for chatty in ("aiokafka", "alembic", "asyncio", "httpx", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def traceparent(given: str = "") -> str:
    """The caller's W3C trace context, or a new one."""
    if len(given) == 55 and given[2] == given[35] == given[52] == "-":
        return given
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
