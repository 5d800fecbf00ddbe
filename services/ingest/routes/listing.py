"""How ingest's lists are asked for, and how things are named in its paths."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime

from services.ingest.loading import external
from shared.clock import in_calendar
from shared.web import MOST_PER_PAGE

Name = Annotated[str, Path(max_length=700)]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str, Query(max_length=400)]
Since = Annotated[Annotated[AwareDatetime, AfterValidator(in_calendar)] | None, Query(alias="created_at[gte]")]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def own_id(make: Callable[[str, str, str], str], account: str, name: str) -> str:
    """Our id of a thing: as it stands, or for `ext:<store>:<the store's id>` what `make` gives."""
    key = external(name)
    return name if key is None else make(account, key.store, key.value)
