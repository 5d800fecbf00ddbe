"""From a URL to a bus."""

from shared.bus.base import Bus
from shared.bus.kafka import KafkaBus
from shared.bus.log import LogBus
from shared.settings import Settings


def connect(settings: Settings) -> Bus:
    """The bus behind a `log:///path` or `kafka://host:port` URL, not opened yet."""
    url = settings.bus()
    if url.startswith("log:///"):
        return LogBus(url.removeprefix("log:///"))
    if url.startswith("kafka://"):
        return KafkaBus(url.removeprefix("kafka://"), settings.topic_prefix, settings.topic_replication)
    raise ValueError(f"not a bus URL: {url.split(':', 1)[0]}")
