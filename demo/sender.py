"""The shop's systems: signed webhooks over HTTP, and the unmodified Segment SDK."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

import httpx
from segment.analytics.client import Client

from demo import webhooks
from demo.inputs import Call, Input, Webhook
from services.ingest.setup import NewStore

AT_ONCE = 16
SDK_BATCH_SECONDS = 0.005


class NotTaken(Exception):
    """Querencia did not answer 200 to something the shop sent."""


class Shop:
    """Sends what happened, in order for each person, many persons at once."""

    def __init__(self, url: str, store: NewStore) -> None:
        self._store = store
        self._http = httpx.AsyncClient(
            base_url=url, limits=httpx.Limits(max_connections=AT_ONCE), timeout=60, trust_env=False
        )
        self._sdk = Client(
            store.server_key, host=url, upload_interval=SDK_BATCH_SECONDS, on_error=self._failed, max_retries=2
        )
        self._failures: list[str] = []
        self.sent = 0

    async def send(self, inputs: Sequence[Input]) -> None:
        """Hand in everything and wait until it is answered; raises NotTaken when one is not taken."""
        calls = [one for one in inputs if isinstance(one, Call)]
        for call in calls:
            self._tell(call)
        if calls:
            await asyncio.to_thread(self._sdk.flush)
        hooks = sorted((one for one in inputs if isinstance(one, Webhook)), key=lambda one: (one.person, one.at))
        await asyncio.gather(*(self._deliver(list(own)) for _, own in groupby(hooks, lambda one: one.person)))
        if self._failures:
            raise NotTaken(self._failures[0])
        self.sent += len(inputs)

    async def close(self) -> None:
        """Let go of the connections and the SDK's thread."""
        await self._http.aclose()
        await asyncio.to_thread(self._sdk.join)

    async def _deliver(self, hooks: Sequence[Webhook]) -> None:
        for hook in hooks:
            raw = webhooks.encode(hook)
            signed = webhooks.headers(hook, raw, self._store.shopify_secret)
            path = f"/webhooks/shopify/{self._store.shopify_source}"
            answer = await self._http.post(path, content=raw, headers=signed)
            if answer.status_code != 200:
                raise NotTaken(f"{hook.topic}: {answer.status_code} {answer.text[:200]}")

    def _tell(self, call: Call) -> None:
        who = {"user_id": call.user or None, "anonymous_id": call.visitor}
        when = {
            "timestamp": call.at,
            "message_id": f"{call.visitor}-{call.at.timestamp():.0f}-{call.kind}-{call.event}",
        }
        if call.kind == "identify":
            self._sdk.identify(traits=call.content, **who, **when)
        elif call.kind == "page":
            self._sdk.page(name=call.event, properties=call.content, **who, **when)
        else:
            self._sdk.track(event=call.event, properties=call.content, **who, **when)

    def _failed(self, error: Exception, _batch: object) -> None:
        self._failures.append(str(error))
