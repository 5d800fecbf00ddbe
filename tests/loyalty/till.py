"""A shop as loyalty's real service sees it: facts by the bus, calls by HTTP, rows in its database."""

from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.loyalty.books import audit
from shared.access import digest_of, new_key
from shared.clock import machine_now
from shared.events import Event
from shared.events.config import AccountConfigured, KeyConfigured, SigningKeyConfigured, StoreConfigured
from shared.events.ingest import Line, OrderFact, OrderPaid
from tests.builders import an_event, an_order
from tests.world import World

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STORE = "sto_1"


class Till:
    """One account with one store in Madrid, its keys, and whoever calls."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = new_key("server")
        self.browser = new_key("browser")
        self._signing = Ed25519PrivateKey.generate()
        self._calls = count()

    async def opened(self) -> Self:
        """Tell loyalty of the account, the store and its keys."""
        self.world.clock.move_to(NOON)
        public = self._signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        told = [
            AccountConfigured(id="acc_1", revision=1, name="Té"),
            StoreConfigured(id=STORE, revision=1, name="Té", currency="EUR", zone="Europe/Madrid", locale="es"),
            KeyConfigured(id="key_1", revision=1, kind="server", digest=digest_of(self.key)),
            KeyConfigured(id="key_2", revision=1, kind="browser", digest=digest_of(self.browser), store=STORE),
            SigningKeyConfigured(id="sig_1", revision=1, public_key=public),
        ]
        await self.world.publish(*(an_event(fact, customer="", at=NOON) for fact in told))
        await self.world.settle()
        return self

    def token(self, customer: str) -> str:
        """A customer token as ingest signs it."""
        claims = {"iss": "acc_1", "aud": "querencia", "sub": customer, "exp": machine_now().timestamp() + 3_600}
        return jwt.encode({**claims, "store": STORE}, self._signing, algorithm="EdDSA")

    async def hears(self, *events: Event[Any]) -> None:
        """Facts come in and have all their effect."""
        await self.world.publish(*events)
        await self.world.settle()

    async def asks(self, path: str, *, status: int = 200, by: str = "", **params: Any) -> Any:
        """GET with the server key, or with another key or token."""
        headers = {"authorization": f"Bearer {by or self.key}"}
        answer = await self.world.get(path, params=params, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def calls(
        self, path: str, body: Any = None, *, by: str = "", key: str = "", verb: str = "POST"
    ) -> httpx.Response:
        """An unsafe call under an Idempotency-Key of its own, or a given one."""
        headers = {"authorization": f"Bearer {by or self.key}", "idempotency-key": key or f"call-{next(self._calls)}"}
        return await self.world.http.request(verb, path, json=body, headers=headers)

    async def gives(self, points: int, customer: str = "cus_ana") -> None:
        """Points by hand, available at once."""
        body = {"customer": customer, "points": points, "reason": "gift", "actor": "ops"}
        answer = await self.calls("/v1/transactions", body)
        assert answer.status_code == 201, answer.text

    async def books(self) -> list[str]:
        """What does not add up in loyalty's own books."""
        await self.world.settle()
        async with self.world.of("loyalty").db.read() as reader:
            return (await audit(reader)).faults

    async def member(self, customer: str = "cus_ana") -> Any:
        """A member as the API tells it."""
        return await self.asks(f"/v1/members/{customer}")


def bought(
    total: int,
    *,
    name: str = "1",
    revision: int = 1,
    refunded: int = 0,
    customer: str = "cus_ana",
    kind: type[OrderFact] = OrderPaid,
    at: datetime = NOON,
    **given: Any,
) -> Event[OrderFact]:
    """A fact about an order of one line."""
    line = Line(id="1", product="p1", title="Tea", gross=total, net=total, refunded=refunded)
    order = an_order(at=at, id=f"ord_{name}", revision=revision, total=total, lines=(line,), **given)
    return an_event(kind(order=order), customer=customer, at=at, store=STORE)
