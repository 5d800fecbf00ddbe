"""Intake without a database: deliveries judged one after the other on one desk."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.ingest.desk import IngestDesk, Outcome
from services.ingest.loading import translate
from services.ingest.records import AccountSecretRow
from services.ingest.tables import Delivery, Head
from services.ingest.taking import take_in
from services.ingest.taking_orders import order_of
from shared.errors import Refused
from shared.events import Lane
from shared.events.config import StoreConfigured
from shared.events.ingest import Order

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STORE = StoreConfigured(id="sto_1", revision=1, name="Shop", currency="EUR", zone="UTC", locale="en")


class Desk:
    """One account with one store, and everything it was ever told."""

    def __init__(self) -> None:
        self.desk = IngestDesk(NOON)
        self.desk.stores["acc_1", STORE.id] = STORE
        self.desk.secrets["acc_1"] = AccountSecretRow("acc_1", "sig_1", b"", b"k" * 32)
        self.seq = 0

    def take(self, kind: str, raw: bytes, *, trust: str = "verified", **meta: str) -> Outcome:
        """Judge one delivery as intake does."""
        self.seq += 1
        recorded = NOON + timedelta(hours=1, seconds=self.seq)
        delivery = Delivery(
            self.seq,
            uuid4(),
            "acc_1",
            "src",
            STORE.id,
            Lane.LIVE,
            recorded,
            "",
            "",
            "",
            Head(kind, trust, "", meta),
            raw,
        )
        translate(self.desk, delivery)
        self.desk.begin(delivery)
        try:
            outcome = take_in(delivery, self.desk)
        except Refused as refused:
            self.desk.discard()
            return Outcome("quarantined", refused.code)
        self.desk.keep()
        return outcome

    def shopify(self, topic: str, body: Mapping[str, Any]) -> Outcome:
        """A Shopify webhook."""
        return self.take("shopify", json.dumps(body).encode(), topic=topic)

    def native(self, kind: str, data: Mapping[str, Any], *, at: datetime = NOON, trust: str = "verified") -> Outcome:
        """A native event."""
        event = {"specversion": "1.0", "id": uuid4().hex, "source": "s", "type": kind, "time": at.isoformat()}
        return self.take("native", json.dumps({**event, "data": data}).encode(), trust=trust)

    def track(self, event: str, /, *, at: datetime = NOON, trust: str = "verified", **given: Any) -> Outcome:
        """A Segment track call; `given` besides userId and anonymousId are its properties."""
        who: dict[str, Any] = {key: given.pop(key) for key in ("userId", "anonymousId") if key in given}
        message: dict[str, Any] = {
            "type": "track",
            "event": event,
            "messageId": uuid4().hex,
            "timestamp": at.isoformat(),
            **who,
        }
        return self.take("segment", json.dumps({**message, "properties": given}).encode(), trust=trust)

    def identify(self, *, at: datetime = NOON, trust: str = "verified", **given: Any) -> Outcome:
        """A Segment identify call."""
        message = {"type": "identify", "messageId": uuid4().hex, "timestamp": at.isoformat(), **given}
        return self.take("segment", json.dumps(message).encode(), trust=trust)

    @property
    def told(self) -> list[Any]:
        """The facts told, oldest first."""
        return [event.fact for event in self.desk.facts.rows]

    def facts(self, *kinds: type[Any]) -> list[Any]:
        """The facts of some kinds."""
        return [fact for fact in self.told if isinstance(fact, kinds)]

    def orders(self) -> list[Order]:
        """The canonical orders, by the store's id."""
        found = [order_of(row) for row in self.desk.orders.values()]
        return sorted((order for order in found if order is not None), key=lambda order: order.external_id)

    def owners(self) -> list[str]:
        """Whose the orders are, each person once."""
        rows = [row for row in self.desk.orders.values() if row.customer]
        return sorted({self.desk.person(row.customer).id for row in rows})


def words(facts: Iterable[Any]) -> list[str]:
    """The wire names of facts."""
    return [fact.type for fact in facts]
