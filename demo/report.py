"""What the public JSON APIs tell of the shop, read with its server key."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import msgspec

PER_PAGE = 200
AT_ONCE = 16


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The shop as the services see it; `members`, `contacts` and `pages` (of a few members) by customer id."""

    books: dict[str, Any]
    programme: dict[str, Any]
    rewards: list[dict[str, Any]]
    liability: dict[str, Any]
    pages: dict[str, dict[str, Any]]
    customers: list[dict[str, Any]]
    members: dict[str, dict[str, Any]]
    contacts: dict[str, dict[str, Any]]
    segments: list[dict[str, Any]]
    kpis: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    decisions: Counter[str]

    def counted(self, service: str, name: str) -> int:
        """A counter of a service's books."""
        return int(self.books[service]["counters"].get(name, 0))

    def language(self, customer: str) -> str:
        """The language a customer is written to in."""
        return str(self.contacts.get(customer, {}).get("language", "?"))

    def name(self, customer: str) -> str:
        """A customer's first name and address."""
        contact = self.contacts.get(customer, {})
        return f"{contact.get('first_name', '?')} <{contact.get('email', customer)}>"


class Api:
    """The public JSON APIs of an installation under a server key."""

    def __init__(self, url: str, key: str) -> None:
        limits = httpx.Limits(max_connections=AT_ONCE)
        bearer = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=bearer, limits=limits, timeout=60, trust_env=False)

    async def read(self, path: str, **asked: str | int) -> Any:
        """The JSON of one answer; raises httpx.HTTPStatusError for a refusal."""
        answer = await self._http.get(path, params=asked)
        return answer.raise_for_status().json()

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.read(path, limit=PER_PAGE, cursor=cursor)
            rows += page["data"]
            cursor = page["next_cursor"] or ""
            if not page["has_more"]:
                return rows

    async def each(self, path: str, customers: Iterable[str]) -> dict[str, dict[str, Any]]:
        """One answer for each customer, by id."""
        names = list(customers)
        found = await asyncio.gather(*(self.read(f"{path}/{name}") for name in names))
        return dict(zip(names, found, strict=True))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()


async def report(api: Api) -> Report:
    """Read all that the summary tells."""
    scored = await api.pages("/v1/scores")
    names = [row["customer"] for row in scored]
    decisions = await api.pages("/v1/decisions")
    members, contacts = await api.each("/v1/members", names), await api.each("/v1/contacts", names)
    return Report(
        books=await api.read("/books"),
        programme=(await api.read("/v1/programs"))["data"][0],
        rewards=await api.pages("/v1/rewards"),
        liability=await api.read("/v1/reports/liability"),
        pages=await _pages(api, members, contacts),
        customers=scored,
        members=members,
        contacts=contacts,
        segments=(await api.read("/v1/segments"))["data"],
        kpis=(await api.read("/v1/kpis"))["data"],
        messages=await api.pages("/v1/messages"),
        decisions=Counter(row["reason"] for row in decisions),
    )


async def _pages(
    api: Api, members: dict[str, dict[str, Any]], contacts: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The page of the member who spent most, of those written to in each language."""
    found = {}
    for language in ("en", "es", "pt"):
        mine = [name for name in members if contacts.get(name, {}).get("language") == language]
        best = max(mine, key=lambda name: (members[name]["redeemed"], members[name]["earned"]), default=None)
        if best is not None:
            found[best] = await api.read(f"/v1/members/{best}/page", language=language)
    return found
