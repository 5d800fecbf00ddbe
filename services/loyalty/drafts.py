"""Changing a programme: a draft is checked whole and becomes the next version; versions never change."""

import re
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.loyalty.desk import SPREAD_TIMER, Desk
from services.loyalty.programmes import Programme
from services.loyalty.versions import version_row
from shared.errors import Invalid, Refused, not_found
from shared.workset import Command

T = TypeVar("T")
_PLACE = re.compile(r" - at `\$(.*)`$")


class Draft(msgspec.Struct, frozen=True):
    """A programme as sent, and since when it is to be in force (None: at once)."""

    programme: Programme
    effective_from: datetime | None


class _Since(msgspec.Struct):
    effective_from: datetime | None = None


def read(body: dict[str, Any]) -> Draft:
    """A draft from a JSON body without `id` and `version`; raises Invalid with a pointer to the fault."""
    given = dict(body)
    since = given.pop("effective_from", None)
    given.pop("version", None)
    programme = checked({**given, "id": ""}, Programme)
    return Draft(programme, checked({"effective_from": since}, _Since).effective_from)


def checked(body: dict[str, Any], kind: type[T]) -> T:
    """A body as a struct; raises Invalid with a pointer to the fault."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Invalid([_fault(str(error))]) from error


def put(command: Command, desk: Desk, program: str, draft: Draft, match: str) -> Programme:
    """Add a version.

    Raises Refused 404, 409 `version_conflict` (`If-Match` names an older one), 422 `too_early` or `wallet_missing`.
    """
    versions = desk.programmes(command.account, command.store)
    newest = versions.bodies[-1]
    if newest.id != program:
        raise not_found("program", program)
    if match and match != f'"{newest.version}"':
        raise Refused("version_conflict", f"the newest version is {newest.version}", status=409)
    since = draft.effective_from or desk.now
    if since < max(desk.now, versions.effective[-1]):
        raise Refused("too_early", "a version takes effect now or later", pointer="/effective_from")
    if gone := sorted(versions.wallets - {wallet.name for wallet in draft.programme.wallets}):
        raise Refused("wallet_missing", f"the wallet {gone[0]!r} may hold points, and stays", pointer="/wallets")
    following = numbered(draft.programme, program, newest.version + 1)
    desk.drafts.append(version_row(command.account, following, since, desk.now))
    desk.set_timer(SPREAD_TIMER, str(following.version), since, {"after": ""}, customer="")
    return following


def numbered(programme: Programme, program: str, version: int) -> Programme:
    """The draft as that version of that programme."""
    return msgspec.structs.replace(programme, id=program, version=version)


def _fault(message: str) -> tuple[str, str]:
    found = _PLACE.search(message)
    if found is None:
        return "", message
    pointer = re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", found[1]).replace(".", "/").replace("//", "/")
    return pointer, message[: found.start()]
