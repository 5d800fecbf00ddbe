"""The hot routes as plain ASGI callables: native events, SDK dialects, store webhooks."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import structlog

from services.ingest.accept import Accept, Parcel
from services.ingest.bodies import Receive, Scope, Send, headers_of, read_body, respond
from services.ingest.carriers import key_of, key_within
from services.ingest.collisions import collided
from services.ingest.connectors import CONNECTORS, native
from services.ingest.dialects import DIALECTS
from services.ingest.dialects.segment import MOST_EVENT, Posted
from services.ingest.limits import Limits
from services.ingest.nesting import without_deep
from services.ingest.settings import IngestSettings
from services.ingest.sources import Source, source_of
from services.ingest.tables import Head
from shared.access import Caller, bearer, unauthorized
from shared.clock import machine_now, machine_seconds
from shared.errors import Refused, Unavailable
from shared.events import Lane
from shared.observe import METRICS, traceparent
from shared.uids import uid
from shared.vault import vault_of
from shared.web import problem_of

if TYPE_CHECKING:
    from shared.running import Running

MOST_NATIVE = 1000
WITHIN_ARRAY = 2  # how deep an event is opened in an array
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
        self.limits: Limits = running.state.setdefault("limits", Limits(IngestSettings()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            status, body, headers = await self._posted(scope, receive)
            await respond(send, status, body, headers)
        except Exception as error:
            if not isinstance(error, Refused | Unavailable):
                log.exception("request failed", service="ingest", path=scope["path"])
            found = problem_of(error)
            extra = {"retry-after": found.headers["retry-after"]} if "retry-after" in found.headers else {}
            await respond(send, found.status_code, bytes(found.body), extra)

    async def _posted(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        if scope["method"] != "POST":
            raise Refused("method_not_allowed", "POST here", status=405)
        if scope.get("client"):
            self.limits.address.take(scope["client"][0])
        return await self.handle(scope, receive)

    async def handle(self, scope: Scope, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        """Take one request in."""
        raise NotImplementedError

    async def put(
        self, origin: Origin, ids: Sequence[UUID], raws: Sequence[bytes], head: Head, *, rejected: int = 0
    ) -> set[UUID]:
        """Hand events to the group commit; gives the ids that were new. Raises TooMany beyond the source's limit."""
        self.limits.source.take(origin.source, len(ids))
        done: asyncio.Future[set[UUID]] = asyncio.get_running_loop().create_future()
        account, source, store, lane = origin.account, origin.source, origin.store, origin.lane
        return await self.accept.put(Parcel(account, source, store, lane, head, ids, raws, rejected, done))

    async def collided(self, ids: Sequence[UUID], raws: Sequence[bytes], new: set[UUID]) -> set[UUID]:
        """The ids that were used for something else, in this request or before; looked up only where any was used."""
        if len(new) == len(ids):
            return set()
        first: dict[UUID, bytes] = {}
        within = {id_ for id_, raw in zip(ids, raws, strict=True) if first.setdefault(id_, raw) != raw}
        repeated = {id_: raw for id_, raw in first.items() if id_ not in new}
        async with self.running.db.read() as reader:
            return within | await collided(reader, repeated)


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
        raws, single = _split_native(await read_body(receive, headers))
        source = f"native:{caller.kind}:{caller.account}"  # a browser cannot use up the ids of a server's events
        verdicts, ids, good = _judged(raws, caller, source)
        if single and verdicts[0].error is not None:
            raise verdicts[0].error
        history = headers.get("x-querencia-lane") == "history" and caller.kind == "server"
        origin = Origin(caller.account, source, caller.store, Lane.HISTORY if history else Lane.LIVE)
        head = Head("native", trust_of(caller), traceparent(headers.get("traceparent", "")), {})
        new = await self.put(origin, ids, good, head, rejected=len(raws) - len(good))
        others = await self.collided(ids, good, new)
        return 200, _encode({"verdicts": [verdict.shown(new, others) for verdict in verdicts]}), {}


def _from_known_origin(caller: Caller, headers: Mapping[str, str]) -> None:
    """A browser key that lists origins is good for pages of these only; raises Refused 403."""
    if caller.kind == "browser" and caller.origins and headers.get("origin") not in caller.origins:
        raise Refused("forbidden", "this key is not for pages of that origin", status=403)


class Verdict(msgspec.Struct):
    """What became of one event of a batch."""

    id: str
    delivery: UUID | None = None
    error: Refused | None = None

    def shown(self, new: set[UUID], others: set[UUID]) -> dict[str, Any]:
        """As the answer shows it; of two events with one id in one request only the first is new."""
        if self.error is not None:
            return {
                "id": self.id,
                "verdict": "rejected",
                "code": self.error.code,
                "message": self.error.message,
                "pointer": self.error.pointer,
            }
        if self.delivery in new:
            new.remove(self.delivery)
            return {"id": self.id, "verdict": "accepted"}
        return {"id": self.id, "verdict": "collision" if self.delivery in others else "duplicate"}


def _split_native(body: bytes) -> tuple[list[bytes], bool]:
    """(raw events, whether it was a single one)."""
    if body[:64].lstrip()[:1] != b"[":
        return [body], True
    try:
        raws = [bytes(raw) for raw in _items(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed", f"not a JSON array: {error}", status=400, pointer="") from error
    if not 0 < len(raws) <= MOST_NATIVE:
        raise Refused("malformed", f"a batch has 1 to {MOST_NATIVE} events", status=400, pointer="")
    return raws, False


def _items(body: bytes) -> list[msgspec.Raw]:
    """The items of an array, `null` for those that are nested too deep."""
    try:
        return _raws(body)
    except RecursionError:
        return _raws(without_deep(body, WITHIN_ARRAY)[0])


def _judged(raws: list[bytes], caller: Caller, source: str) -> tuple[list[Verdict], list[UUID], list[bytes]]:
    """A verdict for each event; ids and bytes of the good ones."""
    verdicts: list[Verdict] = []
    ids: list[UUID] = []
    good: list[bytes] = []
    id_of = ids_within(source)
    for raw in raws:
        try:
            event = _checked(raw, caller)
        except Refused as refused:
            verdicts.append(Verdict("", error=refused))
            continue
        ids.append(id_of(f"{event.source}|{event.id}".encode("utf-8", "surrogatepass")))
        good.append(raw)
        verdicts.append(Verdict(event.id, ids[-1]))
    return verdicts, ids, good


def _checked(raw: bytes, caller: Caller) -> Any:
    if len(raw) > MOST_EVENT:
        raise Refused("too_large", f"an event is over {MOST_EVENT} bytes", status=413)
    event = native.read(raw)
    if caller.kind == "browser" and event.type in native.SERVER_ONLY:
        raise Refused("forbidden", f"a browser key cannot send {event.type}", status=403, pointer="/type")
    return event


def ids_within(source: str) -> Callable[[bytes], UUID]:
    """What makes the id of a delivery out of what tells it from the others of its source."""
    keyed = hashlib.blake2b(digest_size=16, key=source.encode()[:64])

    def id_of(within: bytes) -> UUID:
        hashed = keyed.copy()
        hashed.update(within)
        return uid(hashed.digest())

    return id_of


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
        body = await read_body(receive, headers)
        key = key_of(scope, headers)
        known = await self.running.access.caller(key) if key else None
        said = self.dialect.split(body, self.call)
        caller = known or await self._caller_within(said)
        _from_known_origin(caller, headers)
        source = f"{self.name}:{caller.key}"
        id_of = ids_within(source)
        ids = [id_of(name.encode("utf-8", "surrogatepass")) for name in said.names]
        meta = {**_clock_meta(said.sent_at, received), "call": self.call}
        head = Head(self.name, trust_of(caller), traceparent(headers.get("traceparent", "")), meta)
        origin = Origin(caller.account, source, caller.store)
        new = await self.put(origin, ids, said.raws, head, rejected=said.too_large)
        await self.collided(ids, said.raws, new)
        return 200, b'{"success":true}', {}

    async def _caller_within(self, said: Posted) -> Caller:
        """Whom the body says it comes from: header and query go before it."""
        key = key_within(said.write_key)
        if not key:
            raise unauthorized("give the write key")
        return await self.running.access.caller(key)


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
        headers = headers_of(scope)
        raw = await read_body(receive, headers)
        source = await self._source(name)
        connector = CONNECTORS.get(platform)
        if connector is None or source is None or source.platform != platform:
            raise Refused("not_found", "no such source", status=404)
        greeting = connector.handshake(raw, headers)
        if greeting is not None:
            return 200, greeting, {}
        try:
            secret = connector.verify(raw, headers, source.secrets)
        except Refused:
            METRICS.signatures.labels(platform).inc()
            raise
        meta = {**connector.meta(headers), "secret": secret, "received_at": datetime.now(UTC).isoformat()}
        head = Head(platform, "verified", traceparent(headers.get("traceparent", "")), meta)
        id_ = ids_within(source.id)(connector.dedupe(headers, raw))
        new = await self.put(Origin(source.account, source.id, source.store, source.lane), [id_], [raw], head)
        await self.collided([id_], [raw], new)
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
