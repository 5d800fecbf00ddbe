"""Redemptions go past FastAPI where nothing is odd about them; whoever asks cannot tell."""

import json
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Response

from services.loyalty.routes.spending import DIRECT
from services.loyalty.service import loyalty
from shared.direct import DirectRoute
from shared.front import Front
from tests.loyalty.till import Till
from tests.world import a_world

REDEEM = "/v1/redemptions"
GOOD = json.dumps({"customer": "cus_ana", "points": 5}).encode()
ODD = {
    "good": (GOOD, {}),
    "good again": (GOOD, {}),
    "another body under one key": (b'{"customer": "cus_ana", "points": 6}', {}),
    "too many points": (b'{"customer": "cus_ana", "points": 1000000}', {"idempotency-key": "b"}),
    "nobody's": (b'{"customer": "ana", "points": 5}', {"idempotency-key": "c"}),
    "no key": (GOOD, {"idempotency-key": ""}),
    "nobody": (GOOD, {"authorization": ""}),
    "an unknown key": (GOOD, {"authorization": "Bearer sk_nothing"}),
    "no points": (b'{"customer": "cus_ana"}', {"idempotency-key": "d"}),
    "points as text": (b'{"customer": "cus_ana", "points": "5"}', {"idempotency-key": "e"}),
    "more than is known": (b'{"customer": "cus_ana", "points": 5, "now": true}', {"idempotency-key": "f"}),
    "no JSON": (b"{", {"idempotency-key": "g"}),
    "no object": (b"[]", {"idempotency-key": "h"}),
    "nothing": (b"", {"idempotency-key": "i"}),
    "not UTF-8": (b'{"customer": "\xff", "points": 5}', {"idempotency-key": "j"}),
    "a NUL": (b'{"customer": "cus_\\u0000", "points": 5}', {"idempotency-key": "k"}),
    "no JSON by its header": (GOOD, {"idempotency-key": "l", "content-type": "text/plain"}),
    "JSON of a kind": (GOOD, {"idempotency-key": "m", "content-type": "application/json; charset=utf-8"}),
    "large": (b'{"customer": "cus_ana", "points": 5' + b" " * 70_000 + b"}", {"idempotency-key": "n"}),
}


def _shown(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    told = answer.json()
    told = {name: value for name, value in told.items() if name not in {"request_id", "id", "transaction", "lots"}}
    headers = {name: value for name, value in answer.headers.items() if name not in {"content-length", "vary"}}
    return answer.status_code, headers, told


async def _asked(till: Till, app: Any) -> dict[str, tuple[int, dict[str, str], Any]]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://till") as client:
        for name, (body, more) in ODD.items():
            headers = {
                "authorization": f"Bearer {till.key}",
                "idempotency-key": "a",
                "content-type": "application/json",
            }
            found[name] = _shown(await client.post(REDEEM, content=body, headers=headers | more))
    return found


async def test_whoever_asks_cannot_tell(tmp_path: Path) -> None:
    async with a_world([loyalty], tmp_path / "short") as one, a_world([loyalty], tmp_path / "long") as other:
        short, long = await Till(one).opened(), await Till(other).opened()
        for till in (short, long):
            await till.gives(100)
        told = await _asked(short, one.runtime.front)
        assert told == await _asked(long, other.runtime.app)
        assert told["good"][0] == 201
        assert told["good again"][1]["idempotency-replayed"] == "true"


async def test_only_what_does_not_fit_goes_the_long_way(corner_till: Till) -> None:
    app = FastAPI()
    app.add_api_route(REDEEM, lambda: Response(b"{}", 418), methods=["POST"])
    route = DirectRoute(corner_till.world.of("loyalty"), DIRECT[REDEEM])
    told = await _asked(corner_till, Front(app, {}, {REDEEM: route}, {}))
    fit = {"good", "good again", "another body under one key", "too many points", "nobody's", "no key", "nobody"}
    assert {name for name, (status, _, _) in told.items() if status != 418} == fit | {"an unknown key"}
