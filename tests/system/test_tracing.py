"""With a collector named, one trace leads from a store's webhook to the mail; without, nothing is made of it."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.faults.house import House
from tests.faults.inside import Inside
from tests.ingest.shop import shopify_order
from tests.system.collector import Collector, Seen

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRIED = """
import sys
from services.__main__ import load
from shared.runtime import Runtime
from shared.settings import Settings
from shared.tracing import TRACING
settings = Settings()
Runtime(load([]), settings)
TRACING.begin(settings.otlp_endpoint)
assert not TRACING.on
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "requests"))])
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    with Collector() as made:
        yield made


def _webhook(house: House) -> None:
    """An order by a signed webhook, under a trace of the store's."""
    source, body = house.keys["shopify_source"], json.dumps(shopify_order(at=datetime.now(UTC))).encode()
    digest = hmac.new(house.keys["shopify_secret"].encode(), body, hashlib.sha256).digest()
    headers = {
        "x-shopify-topic": "orders/paid",
        "x-shopify-shop-domain": "shop.myshopify.example",
        "x-shopify-webhook-id": "w-1",
        "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
        "traceparent": f"00-{TRACE}-{CALLER}-01",
    }
    url = f"{house.address('ingest')}/webhooks/shopify/{source}"
    assert httpx.post(url, content=body, headers=headers).status_code == 200


def _road(spans: dict[str, Seen], last: Seen) -> list[tuple[str, str]]:
    """(service, step) from the last one back to the one that nobody else's led to."""
    road = [last]
    while road[-1].parent in spans:
        road.append(spans[road[-1].parent])
    return [(one.service, one.name) for one in road]


def test_one_trace_leads_from_the_webhook_to_the_mail(collector: Collector, tmp_path: Path) -> None:
    house = House(tmp_path, {"otlp_endpoint": collector.address})
    try:
        house.build()
        _webhook(house)
        with closing(Inside(house)) as inside:
            inside.rests()
        house.stop("ingest")
    finally:
        house.pull_down()
    spans = {one.span: one for one in collector.spans if one.trace == TRACE}
    assert not any(one.failed for one in spans.values())
    (mail,) = [one for one in spans.values() if one.name.startswith("send email")]
    road = _road(spans, mail)
    assert road[-1] == ("ingest", "POST /webhooks/shopify")
    assert next(one for one in spans.values() if one.name == "POST /webhooks/shopify").parent == CALLER
    assert road[0][0] == "notifications"
    assert road[-3:-1] == [("ingest", "publish order.paid"), ("ingest", "judge shopify")]
    assert ("notifications", "judge order.paid") in {(one.service, one.name) for one in spans.values()}
    assert {service for service, _ in road} >= {"ingest", "notifications"}


def test_without_a_collector_the_sdk_is_not_even_read() -> None:
    ran = subprocess.run([sys.executable, "-c", TRIED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", ran.stdout
