"""What loyalty's routes have in common: bodies without unknown fields, the usual parameters."""

from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.loyalty import views
from shared.access import Caller, customer_of
from shared.web import MOST_PER_PAGE, reading

KEYED: dict[str, Any] = {"x-idempotency": "key"}
NATURAL: dict[str, Any] = {"x-idempotency": "natural"}
MOST_POINTS = 1_000_000_000
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str, Query(max_length=400)]
Name = Annotated[str, Path(max_length=700)]
OfWallet = Annotated[str, Query(pattern="^[a-z][a-z0-9_]{0,39}$")]


Customer = Annotated[str, Field(max_length=700)]
Points = Annotated[int, Field(ge=1, le=MOST_POINTS)]
WalletName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]


class Asked(BaseModel):
    """The base of all bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def living(request: Request, caller: Caller, name: str) -> str:
    """The customer that a path names, under the id that a merge has left."""
    named = await customer_of(request, caller, name)
    async with reading(request) as reader:
        return await views.survivor(reader, caller.account, named)
