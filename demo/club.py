"""The shop's loyalty programme: imported from its file, its rewards put on the shelf, and members who take some."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import yaml

from demo.inputs import Input, Webhook
from services.ingest.setup import NewStore

FOLDER = Path(__file__).parents[1] / "docs" / "programmes"
PROGRAMME = FOLDER / "record-shop.yaml"
REWARDS = FOLDER / "record-shop-rewards.yaml"
TAKEN_PERCENT = 60
USED_PERCENT = 75
BOUGHT = "orders/create"


class Club:
    """What the shop's storefront does for members: it shows their page after a purchase, and rewards are taken."""

    def __init__(self, url: str, store: NewStore, seed: int) -> None:
        self._store = store
        self._dice = random.Random(f"{seed}:club")
        bearer = {"Authorization": f"Bearer {store.server_key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=bearer, timeout=60, trust_env=False)
        self._calls = 0
        self.taken = 0

    async def open(self) -> None:
        """Import the programme and its rewards, as `programme import` and a shop's back office would."""
        programme: dict[str, Any] = yaml.safe_load(PROGRAMME.read_text(encoding="utf-8"))
        programme["start"] = programme["start"].isoformat()
        name = f"prg_{self._store.account.removeprefix('acc_')}"
        await self._change("PUT", f"/v1/programs/{name}", programme)
        for reward in yaml.safe_load(REWARDS.read_text(encoding="utf-8")):
            await self._change("POST", "/v1/rewards", reward)

    async def serve(self, inputs: Iterable[Input]) -> bool:
        """Whoever has just bought sees what she can have, and may take it; gives whether anybody did."""
        before = self.taken
        for one in inputs:
            if isinstance(one, Webhook) and one.topic == BOUGHT and self._dice.randrange(100) < TAKEN_PERCENT:
                await self._offer(f"ext:{self._store.store}:{one.person}")
        return self.taken > before

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _offer(self, customer: str) -> None:
        answer = await self._http.get(f"/v1/members/{customer}/page")
        rewards = answer.raise_for_status().json()["rewards"]
        within = [reward["id"] for reward in rewards if not reward["missing"]]
        if not within:
            return
        reward = self._dice.choice(within)
        claimed = await self._http.post(
            f"/v1/rewards/{reward}/claims", json={"customer": customer}, headers=self._key()
        )
        if claimed.status_code != 201:  # the last one is gone, or she has had as many as one may
            return
        self.taken += 1
        if self._dice.randrange(100) < USED_PERCENT:
            await self._change("POST", f"/v1/vouchers/{claimed.json()['code']}/use", {})

    async def _change(self, verb: str, path: str, body: dict[str, Any]) -> None:
        answer = await self._http.request(verb, path, json=body, headers=self._key())
        answer.raise_for_status()

    def _key(self) -> dict[str, str]:
        self._calls += 1
        return {"Idempotency-Key": f"club-{self._calls}"}
