"""Every route that changes something, called twice in sequence and twice at once: one answer, one effect."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from shared.idempotency import Remembered, claim
from shared.running import Running
from tests.contracts.clerk import GIFT, Call, Clerk, a_company, everything_open
from tests.contracts.sight import Sight, changed, more
from tests.contracts.unsafe_calls import CALLS
from tests.ingest.shop import open_shop
from tests.real.smtp import SmtpServer
from tests.world import World, a_world

UNSAFE = {"post", "put", "patch", "delete"}


@pytest.fixture
async def world(tmp_path: Path, smtp_server: SmtpServer) -> AsyncIterator[World]:
    """All four services."""
    async with a_company(tmp_path, smtp_server) as made:
        yield made


@pytest.fixture
async def clerk(world: World) -> Clerk:
    """A shop where everything can be called."""
    return await everything_open(world)


async def test_every_unsafe_call_is_one_call_however_often_it_is_made(clerk: Clerk, tmp_path: Path) -> None:
    paths = clerk.world.runtime.app.openapi()["paths"]
    found = {(verb, path): told for path, verbs in paths.items() for verb, told in verbs.items() if verb in UNSAFE}
    assert set(found) == set(CALLS), "every unsafe route needs an example of a call, and no other"
    assert {told["x-idempotency"] for told in found.values()} == {"key", "natural"}
    sight, faults = Sight(clerk.world.running, tmp_path), []
    for route, told in found.items():
        try:
            await _is_one(clerk, sight, route, keyed=told["x-idempotency"] == "key")
        except AssertionError as error:
            faults.append(f"{route}: {str(error)[:600]}")
    sight.close()
    assert "\n".join(faults) == ""
    verdict = await clerk.world.verify()
    assert verdict.balanced, verdict.faults


async def _is_one(clerk: Clerk, sight: Sight, route: tuple[str, str], *, keyed: bool) -> None:
    """Make an example twice in sequence, another twice at once; both have the effect of one call."""
    one = await CALLS[route](clerk)
    before = sight.now()
    first = await clerk.sends(one, "in-sequence")
    after = sight.now()
    second = await clerk.sends(one, "in-sequence")
    _is_the_same(first, second, keyed=keyed)
    assert changed(after, sight.now()) == [], "the second call changed something"
    if keyed:
        await _refuses_another_body(clerk, one)
        assert changed(after, sight.now()) == [], "the refused call changed something"
    other = await CALLS[route](clerk)
    begun = sight.now()
    _is_the_same(*await asyncio.gather(*(clerk.sends(other, "at-once") for _ in range(2))), keyed=keyed)
    assert more(begun, sight.now()) == more(before, after), "two at once have another effect than one"


def _is_the_same(first: httpx.Response, second: httpx.Response, *, keyed: bool) -> None:
    assert first.status_code in {200, 201}, first.text
    assert second.status_code == first.status_code, second.text
    if keyed:
        assert second.json() == first.json()
        replayed = sorted(answer.headers.get("idempotency-replayed", "") for answer in (first, second))
        assert replayed == ["", "true"]


async def _refuses_another_body(clerk: Clerk, call: Call) -> None:
    answer = await clerk.sends(call, "in-sequence", call.content + b"\n" if call.content else b"{}")
    assert (answer.status_code, answer.json().get("code")) == (422, "idempotency_key_reused"), answer.text


@pytest.mark.postgres
@pytest.mark.xdist_group("real")
async def test_who_waits_too_long_for_the_same_call_is_told_to_come_again(tmp_path: Path, postgres_names: str) -> None:
    async with a_world([ingest, loyalty], tmp_path, database_url=postgres_names) as world:
        clerk = Clerk(await open_shop(world), 0)
        calls = [
            clerk.call("POST", "/v1/keys", {"kind": "server"}),
            clerk.call("POST", "/v1/transactions", {**GIFT, "customer": "cus_ana"}),
        ]
        async with _worked_on(world.of("ingest"), clerk, calls[0]), _worked_on(world.of("loyalty"), clerk, calls[1]):
            answers = await asyncio.gather(*(clerk.sends(call, "same") for call in calls))
        assert [(each.status_code, each.json()["code"], each.headers["retry-after"]) for each in answers] == [
            (409, "in_progress", "1"),
            (409, "in_progress", "1"),
        ]
        assert [(await clerk.sends(call, "same")).status_code for call in calls] == [201, 201]


@asynccontextmanager
async def _worked_on(service: Running, clerk: Clerk, call: Call) -> AsyncIterator[None]:
    """Somebody else is at a call and does not finish it."""
    digest = hashlib.sha256(call.content).digest()
    with suppress(_GivesUp):
        async with service.db.write() as tx:
            account = clerk.shop.made.account
            await claim(tx, service.kernel, Remembered(account, f"{call.verb} {call.path}", "same", digest))
            yield
            raise _GivesUp


class _GivesUp(Exception):
    """Takes back what was begun."""
