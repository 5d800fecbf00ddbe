"""HTTP the same in every service: problem+json, calls that change something, lists in pages."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import uuid4, uuid5

import msgspec
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.access import Caller
from shared.calls import Call
from shared.characters import suspect, unkept
from shared.db.base import Reader
from shared.errors import InProgress, Invalid, Refused, TooMany, Unavailable
from shared.events.base import NAMESPACE
from shared.idempotency import Remembered
from shared.observe import traceparent
from shared.openapi import PROBLEM, Answer
from shared.workset import Command

if TYPE_CHECKING:
    from shared.running import Running

Body = TypeVar("Body")
View = TypeVar("View")
_encode = msgspec.json.Encoder().encode
MOST_PER_PAGE = 200


def problem(
    status: int, code: str, message: str, *, errors: Sequence[tuple[str, str]] = (), retry_after: int | None = None
) -> Response:
    """An answer after RFC 9457, with the fields that real clients look for."""
    body = {
        "type": f"urn:querencia:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "message": message,
        "errors": [{"pointer": pointer, "message": text} for pointer, text in errors],
        "request_id": uuid4().hex,
    }
    headers = {} if retry_after is None else {"retry-after": str(max(1, retry_after))}
    return Response(safe_json(body), status, headers, PROBLEM)


def safe_json(body: Any) -> bytes:
    """JSON bytes of an answer, whatever was in the text it quotes."""
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate from the request
        return orjson.dumps(_clean(body))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def problem_of(error: Exception) -> Response:
    """The answer to a failure."""
    if isinstance(error, Invalid):
        return problem(400, error.code, error.message, errors=error.faults)
    if isinstance(error, Refused):
        return problem(
            error.status,
            error.code,
            error.message,
            errors=[(error.pointer, error.message)] if error.pointer is not None else (),
            retry_after=error.retry_after if isinstance(error, TooMany | InProgress) else None,
        )
    if isinstance(error, Unavailable):
        return problem(503, "unavailable", str(error), retry_after=error.retry_after)
    return problem(500, "internal", "something of ours failed; it has been logged")


def pointer_of(location: Sequence[Any]) -> str:
    """An RFC 6901 pointer from a validator's location."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def install(app: FastAPI) -> None:
    """Make every failure of an app a problem+json."""

    async def refused(_request: Request, error: Exception) -> Response:
        return problem_of(error)

    async def invalid(_request: Request, error: Exception) -> Response:
        details = cast(RequestValidationError, error).errors()
        faults = [(pointer_of(found["loc"][1:]), str(found["msg"])) for found in details]
        return problem(400, "malformed", faults[0][1] if faults else "malformed", errors=faults)

    async def http(_request: Request, error: Exception) -> Response:
        status, detail = cast(HTTPException, error).status_code, cast(HTTPException, error).detail
        codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "malformed"}
        return problem(status, codes.get(status, "refused"), str(detail))

    async def failed(_request: Request, error: Exception) -> Response:
        return problem_of(error)  # starlette raises it again afterwards, so that the server logs it

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Unavailable, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, failed)


async def refuse_unkept(request: Request) -> None:
    """Refuse a body with NUL or half a surrogate pair, with a pointer to each; raises Invalid."""
    raw = await request.body()
    if not suspect(raw):
        return
    try:
        places = [()] if b"\0" in raw else list(unkept(await request.json()))
    except (ValueError, RecursionError):  # no JSON: its route says so
        return
    if places:
        raise Invalid([(pointer_of(where), "a text holds a character that cannot be kept") for where in places])


def running_of(request: Request) -> "Running":
    """The service that a route belongs to, as it runs."""
    found: Running = request.state.running
    return found


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Reader]:
    """A snapshot of the route's service to read from."""
    async with running_of(request).db.read() as reader:
        yield reader


def answer(body: Body, status: int = 200, headers: dict[str, str] | None = None) -> Answer[Body]:
    """A JSON answer from structs, dicts and lists."""
    return Answer(_encode(body), status, headers, "application/json")


async def perform(  # noqa: PLR0913 - all but the request by name
    request: Request,
    *,
    caller: Caller,
    customer: str,
    judge: Callable[[Command, Any], Body],
    store: str = "",
    status: int = 200,
    about: str = "",
    other: str = "",
    draws: int = 0,
    together: bool = False,
) -> Answer[Body]:
    """Judge one change of one customer under the caller's `Idempotency-Key`; key and effect commit together.

    `judge(command, desk)` gives the body of the answer or raises Refused, and then nothing is written. Raises Refused:
    400 without a key, 422 `idempotency_key_reused` for a key that came with another body, 409 `in_progress`. Calls
    that may be judged on one desk (`together`) are committed with those that wait beside them.
    """
    running = running_of(request)
    named = await _named_call(request, caller)

    def command(now: datetime) -> Command:
        return Command(
            account=caller.account,
            customer=customer,
            store=store or caller.store,
            id=uuid5(NAMESPACE, f"{named.account}|{named.route}|{named.key}"),
            time=now,
            trace=traceparent(request.headers.get("traceparent", "")),
            about=about,
            other=other,
            draws=draws,
        )

    call = Call(named, command, judge, status)
    found = await (running.calls.together(call) if together else running.calls.alone(call))
    running.relay.news.set()
    headers = {"idempotency-replayed": "true"} if found.replayed else None
    return Answer(found.text, found.status, headers, "application/json")


async def _named_call(request: Request, caller: Caller) -> Remembered:
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= 255:
        raise Refused("idempotency_key_missing", "give an Idempotency-Key of 1 to 255 characters", status=400)
    whose = f" of {caller.customer}" if caller.customer else ""  # two members may choose the same key
    route = f"{request.method} {request.url.path}{whose}"
    return Remembered(caller.account, route, key, hashlib.sha256(await request.body()).digest())


class Page(msgspec.Struct, Generic[Body], frozen=True):
    """One page of a list."""

    data: list[Body]
    next_cursor: str | None
    has_more: bool

    def each(self, view: Callable[[Body], View]) -> "Page[View]":
        """The same page, its rows as the API shows them."""
        return Page([view(row) for row in self.data], self.next_cursor, self.has_more)


def whole(rows: Sequence[Body]) -> Page[Body]:
    """A list that is never more than one page."""
    return Page(list(rows), None, has_more=False)


def page(rows: Sequence[Body], limit: int, cursor_of: Callable[[Body], Sequence[Any]]) -> Page[Body]:
    """A page from up to `limit` + 1 rows; `cursor_of` gives what the next page starts after."""
    shown = list(rows[:limit])
    more = len(rows) > limit
    return Page(shown, write_cursor(cursor_of(shown[-1])) if more else None, more)


def write_cursor(values: Sequence[Any]) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(_encode(values)).decode().rstrip("=")


def read_cursor(text: str, kinds: Any) -> Any:
    """What a cursor holds, as a tuple of `kinds`; raises Refused 400."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found, plain = msgspec.json.decode(raw, type=kinds), msgspec.json.decode(raw)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Refused("malformed", "this cursor is not one of ours", status=400, pointer="/cursor") from error
    if any(unkept(plain)) or any(isinstance(each, int) and each.bit_length() > 63 for each in plain):
        raise Refused("malformed", "this cursor is not one of ours", status=400, pointer="/cursor")
    return found
