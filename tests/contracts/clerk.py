"""Who prepares what a call that changes something is about."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.desk import HOUSE
from services.notifications.service import notifications
from services.notifications.tokens import Link, Tokens
from services.scoring.service import scoring
from shared.vault import vault_of
from tests.contracts.described import Described
from tests.ingest.shop import Shop, open_shop, shopify_order
from tests.real.smtp import Act, SmtpServer
from tests.world import World, a_world

HOOK = {"url": "http://127.0.0.1:9/", "events": ["voucher.issued"]}
MAILED = 2
CUSTOMERS = 60
GIFT = {"points": 100, "reason": "gift", "actor": "ops"}
PRODUCT = {"product": "tea", "price": 900}
REWARD = {"name": "Ten off", "kind": "fixed_coupon", "price": 10, "value": 100, "currency": "EUR"}
REFERRALS = {"rewards": [{"when": "signup", "friend": 5}], "velocity_friends": 99, "invitations_per_day": 9}
DECISION = {"reason": "they are sisters", "actor": "ops"}
HOME = {"address": "Calle Mayor 1"}
STORE = {"name": "Té", "currency": "EUR", "zone": "Europe/Madrid", "locale": "es"}


class Call(msgspec.Struct, frozen=True):
    """An unsafe request, and what is sent along."""

    verb: str
    path: str
    content: bytes
    headers: dict[str, str]


class Clerk:
    """Prepares what a call is about, always something new, so that no call meets the traces of another."""

    def __init__(self, shop: Shop, customers: int) -> None:
        self.shop = shop
        self.world = shop.world
        self._numbers = count(1)
        self._code = ""
        self._customers = [f"ext:{shop.made.store}:{number}" for number in range(customers)]

    async def opens(self) -> None:
        """Everybody buys, agrees to mails and leaves a cart; nobody knows what became of the mails about those."""
        for name in self._customers:
            number = name.rpartition(":")[2]
            who = {"id": number, "email": f"{number}@example.com"}
            await self.shop.native("purchase", {"order_id": number, "customer": who, "lines": [PRODUCT]})
            if int(number) < MAILED:
                await self.shop.native("consent", {"customer": who, "channel": "email", "granted": True})
                await self.shop.native("cart", {"cart_id": f"c{number}", "customer": who, "lines": [PRODUCT]})
        await self.shop.native("product", {**PRODUCT, "title": "Tea"})
        await self.world.passes(hours=3)
        name, body = await self.programme()
        await self.does("PUT", f"/v1/programs/{name}", {**body, "referrals": REFERRALS})
        self._unknown = [row["id"] for row in await self.lists("/v1/messages?state=unknown")]
        self._deliveries = [row["id"] for row in await self.lists("/v1/deliveries?verdict=translated")]

    async def lists(self, path: str) -> list[dict[str, Any]]:
        """The first page of a list."""
        answer = await self.world.get(path, headers=self.shop.server)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    async def somebody(self) -> str:
        """A customer with points, whom no other call is about."""
        name = self._customers.pop()
        found = await self.world.get(f"/v1/customers/{name}", headers=self.shop.server)
        customer = str(found.json()["id"])
        await self.does("POST", "/v1/transactions", {**GIFT, "customer": customer})
        return customer

    async def does(self, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call that only prepares, done."""
        answer = await self.sends(self.call(verb, path, body), f"prepares-{next(self._numbers)}")
        assert answer.status_code in {200, 201}, answer.text
        return dict(answer.json())

    async def sends(self, call: Call, key: str, content: bytes | None = None) -> httpx.Response:
        """Send a call under an Idempotency-Key, its body replaced where one is given."""
        sent = call.content if content is None else content
        headers = {**call.headers, "idempotency-key": key}
        return await self.world.http.request(call.verb, call.path, content=sent, headers=headers)

    def call(self, verb: str, path: str, body: Any = None) -> Call:
        """A call under the server key with a JSON body."""
        content = b"" if body is None else json.dumps(body).encode()
        return Call(verb, path, content, {**self.shop.server, "content-type": "application/json"})

    async def redemption(self) -> str:
        """The id of a redemption just made."""
        made = await self.does("POST", "/v1/redemptions", {"customer": await self.somebody(), "points": 10})
        return str(made["id"])

    async def hold(self) -> str:
        """The id of a hold just taken."""
        made = await self.does("POST", "/v1/holds", {"customer": await self.somebody(), "points": 10})
        return str(made["id"])

    async def reward(self, **given: Any) -> str:
        """The id of a reward just added."""
        return str((await self.does("POST", "/v1/rewards", {**REWARD, **given}))["id"])

    async def voucher(self) -> str:
        """The code of a voucher just claimed."""
        path = f"/v1/rewards/{await self.reward()}/claims"
        return str((await self.does("POST", path, {"customer": await self.somebody()}))["code"])

    async def befriends(self, **seen: Any) -> Call:
        """Somebody nobody knows signs up with a member's code."""
        if not self._code:
            host = await self.somebody()
            self._code = (await self.does("POST", f"/v1/members/{host}/referral-code"))["code"]
            await self.does("POST", f"/v1/members/{host}/prints", HOME)
        body = {"code": self._code, "customer": f"cus_{uuid4().hex}", "seen": seen}
        return self.call("POST", "/v1/referrals", body)

    async def invites(self) -> Call:
        """A friend to be invited by mail."""
        friend = {"email": f"{uuid4().hex}@example.com", "giver": "Ana", "friend_agrees": True}
        body = {**friend, "store": self.shop.made.store}
        return self.call("POST", f"/v1/members/{await self.somebody()}/invitations", body)

    async def referral(self) -> str:
        """The id of a referral that waits for the shop: both live in one house."""
        call = await self.befriends(**HOME)
        return str((await self.does(call.verb, call.path, json.loads(call.content)))["referral"]["id"])

    async def checks(self) -> Call:
        """Codes at a checkout, looked at."""
        return self.call("POST", "/v1/vouchers/check", {"codes": [await self.voucher(), "nobody's"]})

    async def hook(self) -> str:
        """The id of a webhook just made."""
        return str((await self.does("POST", "/v1/webhooks", HOOK))["id"])

    async def call_of_hook(self) -> str:
        """The path of a call to a webhook where nobody listens."""
        path = f"/v1/webhooks/{await self.hook()}/calls"
        await self.voucher()
        await self.world.settle()
        return f"{path}/{(await self.lists(path))[0]['id']}"

    @property
    def a_source(self) -> dict[str, Any]:
        """The body that makes a source."""
        return {"store": self.shop.made.store, "platform": "shopify", "secret": "s"}

    async def source(self) -> str:
        """The id of a source just made."""
        return str((await self.does("POST", "/v1/sources", self.a_source))["id"])

    async def secret(self) -> str:
        """The path of a source's second secret."""
        path = f"/v1/sources/{await self.source()}/secrets"
        return f"{path}/{(await self.does('POST', path, {'secret': 'other'}))['id']}"

    async def key(self) -> str:
        """The id of a key just made."""
        return str((await self.does("POST", "/v1/keys", {"kind": "server"}))["id"])

    async def merged(self) -> tuple[str, str]:
        """The survivor of a merge and who was merged into it."""
        pair = {await self.somebody(), await self.somebody()}
        one, other = sorted(pair)
        survivor = (await self.does("POST", f"/v1/customers/{one}/merge", {"other": other}))["id"]
        await self.world.settle()
        return survivor, (pair - {survivor}).pop()

    async def programme(self) -> tuple[str, dict[str, Any]]:
        """The programme's id and its body."""
        [found] = await self.lists("/v1/programs")
        return str(found["id"]), {name: value for name, value in found.items() if name not in {"id", "version"}}

    async def transfers(self) -> Call:
        """Points from one member to another, in a programme that allows it."""
        name, body = await self.programme()
        if body["transfer"] is None:
            await self.does("PUT", f"/v1/programs/{name}", {**body, "transfer": {}})
        body = {"customer": await self.somebody(), "to": await self.somebody(), "points": 10}
        return self.call("POST", "/v1/transfers", body)

    async def link(self, use: str) -> str:
        """A recipient's token."""
        row = (await self.world.rows("notifications", HOUSE.statement))[0]
        return Tokens(row[0]).sign(use, Link(self.shop.made.account, await self.somebody(), "email", "marketing"))

    def segment(self, kind: str) -> Call:
        """One of Segment's calls."""
        message = {"messageId": uuid4().hex, "type": kind, "userId": "seg", "previousId": "old", "event": "Look"}
        body = {"batch": [message]} if kind == "batch" else message
        return self.call("POST", f"/v1/{kind}", {**body, "writeKey": self.shop.made.server_key})

    def webhook(self) -> Call:
        """A signed webhook of Shopify."""
        raw = json.dumps(shopify_order(next(self._numbers), at=self.world.now)).encode()
        digest = hmac.new(self.shop.made.shopify_secret.encode(), raw, hashlib.sha256).digest()
        headers = {
            "x-shopify-topic": "orders/create",
            "x-shopify-webhook-id": uuid4().hex,
            "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
        }
        return Call("POST", f"/webhooks/shopify/{self.shop.made.shopify_source}", raw, headers)

    def event(self) -> Call:
        """A native event."""
        head = {"specversion": "1.0", "id": uuid4().hex, "source": "shop", "type": "customer"}
        return self.call("POST", "/v1/events", {**head, "data": {"customer": {"id": "new"}}})

    def account(self) -> Call:
        """A new company, under the operator's key."""
        made = self.call("POST", "/v1/accounts", {"name": "Té", "store": STORE})
        operator = vault_of(self.world.settings).operator_key()
        return msgspec.structs.replace(made, headers={**made.headers, "authorization": f"Bearer {operator}"})

    async def import_of_balances(self) -> Call:
        """A file of one lot."""
        text = f"customer,points,reference\n{await self.somebody()},5,{uuid4().hex}\n"
        return Call("POST", "/v1/imports/balances", text.encode(), {**self.shop.server, "content-type": "text/csv"})

    async def puts_programme(self, verb: str = "PUT", more: str = "") -> Call:
        """The programme as it is, put or compared again."""
        name, body = await self.programme()
        return self.call(verb, f"/v1/programs/{name}{more}", body)

    async def merges(self) -> Call:
        """Two customers to be one."""
        return self.call("POST", f"/v1/customers/{await self.somebody()}/merge", {"other": await self.somebody()})

    async def splits(self) -> Call:
        """A merge to be undone."""
        survivor, merged = await self.merged()
        return self.call("POST", f"/v1/customers/{survivor}/split", {"merged": merged})

    def settles_mail(self) -> Call:
        """A word on a mail of which nobody knows what became of it."""
        return self.call("POST", f"/v1/messages/{self._unknown.pop()}/outcome", {"outcome": "accepted"})

    async def reprocesses(self) -> Call:
        """A delivery to be taken in again."""
        await self.world.settle()
        return self.call("POST", f"/v1/deliveries/{self._deliveries.pop()}/reprocess")

    async def reprocesses_all(self) -> Call:
        """All that was understood to be taken in again."""
        await self.world.settle()
        return self.call("POST", "/v1/deliveries/reprocess", {"verdict": "translated"})

    async def fills_pool(self) -> Call:
        """A code for a reward's pool."""
        path = f"/v1/rewards/{await self.reward(codes='pool')}/codes"
        return self.call("POST", path, {"codes": [f"ABC-{next(self._numbers)}"]})

    async def claims(self) -> Call:
        """A reward to be claimed."""
        return await self.posts(f"/v1/rewards/{await self.reward()}/claims")

    async def evaluates(self) -> Call:
        """A basket."""
        body = {"customer": await self.somebody(), "currency": "EUR", "lines": [{"net": 500}]}
        return self.call("POST", "/v1/evaluations", body)

    async def posts(self, path: str, **body: Any) -> Call:
        """A POST to a path about a new customer."""
        return self.call("POST", path, {"customer": await self.somebody(), **body})


@asynccontextmanager
async def a_company(folder: Path, smtp_server: SmtpServer) -> AsyncIterator[World]:
    """All four services, and a mail server that leaves it open what became of a mail; answers are as described."""
    smtp_server.always_answers("DATA", Act.KEEP_AND_DROP)
    url = f"smtp://127.0.0.1:{smtp_server.port}"
    async with a_world([ingest, loyalty, scoring, notifications], folder, smtp_url=url) as world:
        described = Described(world.runtime.app.openapi())
        world.http.event_hooks["response"].append(described.hears)
        yield world
        assert described.faults == []


async def everything_open(world: World) -> Clerk:
    """A shop where everything can be called."""
    clerk = Clerk(await open_shop(world), CUSTOMERS)
    await clerk.opens()
    return clerk
