"""The hot routes as plain ASGI callables: native events, SDK dialects, store webhooks."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import structlog

from services.ingest.accept import Accept, Parcel
from services.ingest.bodies import Receive, Scope, Send, headers_of, read_body, respond
from services.ingest.connectors import CONNECTORS, native
from services.ingest.dialects import DIALECTS
from services.ingest.sources import Source, source_of
from services.ingest.tables import Head
from services.ingest.vault import vault_of
from shared.access import Caller, bearer, unauthorized
from shared.clock import machine_now, machine_seconds
from shared.errors import Refused, Unavailable
from shared.events import Lane
from shared.observe import METRICS, traceparent
from shared.web import problem_of

if TYPE_CHECKING:
    from shared.running import Running

MOST_EVENT = 1024 * 1024
MOST_NATIVE = 1000
SOURCE_KEPT_SECONDS = 2.0
log = structlog.get_logger()
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Origin(msgspec.Struct, frozen=True):
    """Where deliveries come from."""

    account: str
    source: str
    store: str
    lane: Lane = Lane.LIVE


class Hot:
    """The base of the hot routes: one ASGI callable that answers every failure with a problem."""

    def __init__(self, running: "Running") -> None:
        self.running = running
        self.accept: Accept = running.state.setdefault("accept", Accept(running))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            status, body, headers = await self._posted(scope, receive)
            await respond(send, status, body, headers)
        except Exception as error:
            if not isinstance(error, Refused | Unavailable):
                log.exception("request failed", path=scope["path"])
            found = problem_of(error)
            extra = {"retry-after": found.headers["retry-after"]} if "retry-after" in found.headers else {}
            await respond(send, found.status_code, bytes(found.body), extra)

    async def _posted(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        if scope["method"] != "POST":
            raise Refused("method_not_allowed", "POST here", status=405)
        return await self.handle(scope, receive)

    async def handle(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        """Take one request in."""
        raise NotImplementedError

    async def put(
        self, origin: Origin, events: list[tuple[UUID, bytes]], head: Head, *, rejected: int = 0
    ) -> set[UUID]:
        """Hand events to the group commit; gives the ids that were new."""
        done: asyncio.Future[set[UUID]] = asyncio.get_running_loop().create_future()
        account, source, store, lane = origin.account, origin.source, origin.store, origin.lane
        return await self.accept.put(Parcel(account, source, store, lane, head, events, rejected, done))


def trust_of(caller: Caller) -> str:
    """A server key vouches for what it sends; a browser does not."""
    return "verified" if caller.kind == "server" else "browser"


class NativeEvents(Hot):
    """`POST /v1/events`: CloudEvents JSON, one or up to 1,000, a verdict for each."""

    async def handle(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        """Validate each event fully; good ones are stored whatever their neighbours are."""
        headers = headers_of(scope)
        caller = await self.running.access.caller(bearer(headers.get("authorization", "")))
        if caller.kind == "customer":
            raise Refused("forbidden", "events come under a server or browser key", status=403)
        _from_known_origin(caller, headers)
        raws, single = _split_native(await read_body(receive))
        source = f"native:{caller.kind}:{caller.account}"  # a browser cannot use up the ids of a server's events
        verdicts, events = _judged(raws, caller, source)
        if single and verdicts[0].error is not None:
            raise verdicts[0].error
        history = headers.get("x-querencia-lane") == "history" and caller.kind == "server"
        origin = Origin(caller.account, source, caller.store, Lane.HISTORY if history else Lane.LIVE)
        head = Head("native", trust_of(caller), traceparent(headers.get("traceparent", "")), {})
        new = await self.put(origin, events, head, rejected=len(raws) - len(events))
        return 200, _encode({"verdicts": [verdict.shown(new) for verdict in verdicts]}), {}


def _from_known_origin(caller: Caller, headers: Mapping[str, str]) -> None:
    """A browser key that lists origins is good for pages of these only; raises Refused 403."""
    if caller.kind == "browser" and caller.origins and headers.get("origin") not in caller.origins:
        raise Refused("forbidden", "this key is not for pages of that origin", status=403)


class Verdict(msgspec.Struct):
    """What became of one event of a batch."""

    id: str
    delivery: UUID | None = None
    error: Refused | None = None

    def shown(self, new: set[UUID]) -> dict[str, Any]:
        """As the answer shows it."""
        if self.error is not None:
            return {
                "id": self.id,
                "verdict": "rejected",
                "code": self.error.code,
                "message": self.error.message,
                "pointer": self.error.pointer,
            }
        return {"id": self.id, "verdict": "accepted" if self.delivery in new else "duplicate"}


def _split_native(body: bytes) -> tuple[list[bytes], bool]:
    """(raw events, whether it was a single one)."""
    if body[:64].lstrip()[:1] != b"[":
        return [body], True
    try:
        raws = [bytes(raw) for raw in _raws(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed", f"not a JSON array: {error}", status=400, pointer="") from error
    if not 0 < len(raws) <= MOST_NATIVE:
        raise Refused("malformed", f"a batch has 1 to {MOST_NATIVE} events", status=400, pointer="")
    return raws, False


def _judged(raws: list[bytes], caller: Caller, source: str) -> tuple[list[Verdict], list[tuple[UUID, bytes]]]:
    verdicts, events = [], []
    for raw in raws:
        try:
            event = _checked(raw, caller)
        except Refused as refused:
            verdicts.append(Verdict("", error=refused))
            continue
        id_ = delivery_id(source, f"{event.source}|{event.id}".encode("utf-8", "surrogatepass"))
        verdicts.append(Verdict(event.id, id_))
        events.append((id_, raw))
    return verdicts, events


def _checked(raw: bytes, caller: Caller) -> Any:
    if len(raw) > MOST_EVENT:
        raise Refused("too_large", f"an event is over {MOST_EVENT} bytes", status=413)
    event = native.read(raw)
    if caller.kind == "browser" and event.type in native.SERVER_ONLY:
        raise Refused("forbidden", f"a browser key cannot send {event.type}", status=403, pointer="/type")
    return event


def delivery_id(source: str, within: bytes) -> UUID:
    """The id of a delivery: of its source and of what tells it from the source's others."""
    return UUID(bytes=hashlib.blake2b(within, digest_size=16, key=source.encode()[:64]).digest())


class Dialect(Hot):
    """An SDK's routes: only the shape is checked here, the rest is intake's."""

    def __init__(self, running: "Running", dialect: str, call: str) -> None:
        super().__init__(running)
        self.dialect = DIALECTS[dialect]
        self.name = dialect
        self.call = call

    async def handle(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        """Split, store, answer 200 with a small JSON body."""
        headers = headers_of(scope)
        received = machine_now()
        body = await read_body(receive)
        caller = await self._caller(scope, headers, body)
        _from_known_origin(caller, headers)
        source = f"{self.name}:{caller.key}"
        meta = {**_clock_meta(self.dialect.sent_at(body), received), "call": self.call}
        said = self.dialect.split(body, self.call)
        events = [
            (delivery_id(source, each.message_id.encode("utf-8", "surrogatepass")), each.raw)
            for each in said
            if len(each.raw) <= MOST_EVENT
        ]
        head = Head(self.name, trust_of(caller), traceparent(headers.get("traceparent", "")), meta)
        await self.put(Origin(caller.account, source, caller.store), events, head, rejected=len(said) - len(events))
        return 200, b'{"success":true}', {}

    async def _caller(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> Caller:
        """Header before query before body."""
        for token in (
            _basic(headers.get("authorization", "")),
            _query(scope, "writeKey"),
            self.dialect.write_key(body),
        ):
            if token:
                return await self.running.access.caller(token)
        raise unauthorized("give the write key")


def _basic(authorization: str) -> str:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    try:
        return (
            base64.b64decode(rest, validate=False).decode("utf-8", "replace").partition(":")[0]
            if scheme.lower() == "basic"
            else ""
        )
    except (binascii.Error, ValueError):
        return ""


def _query(scope: Scope, name: str) -> str:
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1")).get(name, [""])[0]


def _clock_meta(sent_at: str, received: datetime) -> dict[str, str]:
    meta = {"received_at": received.isoformat()}
    return {**meta, "sent_at": sent_at} if sent_at else meta


class Webhook(Hot):
    """`POST /webhooks/{platform}/{source}`: verified on the raw bytes, stored, answered."""

    def __init__(self, running: "Running") -> None:
        super().__init__(running)
        self._known: dict[str, tuple[float, Source | None]] = {}

    async def handle(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        """Verify before anything is believed."""
        platform, name = _platform_and_source(scope["path"])
        raw = await read_body(receive)
        headers = headers_of(scope)
        source = await self._source(name)
        connector = CONNECTORS.get(platform)
        if connector is None or source is None or source.platform != platform:
            raise Refused("not_found", "no such source", status=404)
        try:
            secret = connector.verify(raw, headers, source.secrets)
        except Refused:
            METRICS.signatures.labels(platform).inc()
            raise
        meta = {**connector.meta(headers), "secret": secret, "received_at": datetime.now(UTC).isoformat()}
        head = Head(platform, "verified", traceparent(headers.get("traceparent", "")), meta)
        event = (delivery_id(source.id, connector.dedupe(headers, raw)), raw)
        await self.put(Origin(source.account, source.id, source.store, source.lane), [event], head)
        return 200, b'{"success":true}', {}

    async def _source(self, name: str) -> Source | None:
        known = self._known.get(name)
        if known is not None and machine_seconds() - known[0] < SOURCE_KEPT_SECONDS:
            return known[1]
        async with self.running.db.read() as reader:
            found = await source_of(reader, vault_of(self.running.settings), name)
        self._known[name] = (machine_seconds(), found)
        return found


def _platform_and_source(path: str) -> tuple[str, str]:
    parts = path.strip("/").split("/")
    if len(parts) != 3:
        raise Refused("not_found", "webhooks go to /webhooks/{platform}/{source}", status=404)
    return parts[1], parts[2]
