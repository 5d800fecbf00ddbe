"""Segment's server protocol: track, identify, page, screen, group and alias, single or in batches."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from services.ingest.claims import AnyClaim, CustomerClaim, Key, NoticeClaim, Said
from services.ingest.connectors.base import anonymous_key, customer_key, decode, email_key, flagged, named, phone_key
from services.ingest.dialects import segment_commerce
from services.ingest.dialects import segment_payloads as payloads
from services.ingest.moments import clamp, moment, zone_flags
from services.ingest.nesting import without_deep
from shared.errors import Refused

MOST_EVENT = 1024 * 1024
WITHIN_BATCH = 3  # how deep a message is opened in a batch
TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})
_message = msgspec.json.Decoder(payloads.Message)
_batch = msgspec.json.Decoder(payloads.Batch)
_shape = msgspec.json.Decoder(payloads.Shape)
_named = msgspec.json.Decoder(payloads.Named).decode


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A body cut into messages: their bytes, what names each, how many were too large, and what the body says."""

    raws: list[bytes]
    names: list[str]
    too_large: int = 0
    sent_at: str = ""
    write_key: str = ""


class Segment:
    """Segment's dialect, which RudderStack's server SDKs speak too."""

    name = "segment"

    def split(self, body: bytes, call: str) -> Posted:
        """The messages of a body posted to `/v1/{call}`; raises Refused (400) for an empty or malformed one."""
        if call != "batch":
            return _posted(decode(body, _shape), [body])
        posted, raws = _messages(body)
        if not raws:
            raise Refused("empty_batch", "the batch holds no message", status=400, pointer="/batch")
        return _posted(posted, raws)

    def translate(self, said: Said) -> list[AnyClaim]:
        """The claims of one message; raises Refused with a reason for what never can be understood."""
        message = decode(said.raw, _message)
        kind = message.type or said.meta.get("call", "")
        if kind not in TYPES:
            raise Refused("unknown_type", f"{kind[:40]!r} is no Segment call", pointer="/type")
        keys = _names(said, message, kind)
        if not keys:
            raise Refused("missing_id", "neither userId nor anonymousId", pointer="/userId")
        at, flags = _when(said, message)
        return flagged(_claims(said, message, kind, keys, at), flags)


def _messages(body: bytes) -> tuple[payloads.Batch, list[bytes]]:
    """What a batch says, and its messages, those nested too deep for the decoder too; raises Refused."""
    deep: list[bytes] = []
    try:
        posted = decode(body, _batch)
    except Refused as refused:
        if refused.code != "too_deep":
            raise
        shallow, deep = without_deep(body, WITHIN_BATCH)
        posted = decode(shallow, _batch)
    raws = [bytes(raw) for raw in posted.batch]
    return posted, [deep.pop() if deep and raw == b"null" else raw for raw in raws]


def _posted(shape: payloads.Shape, given: list[bytes]) -> Posted:
    raws = [raw for raw in given if len(raw) <= MOST_EVENT]
    return Posted(
        raws=raws,
        names=[_name(raw) for raw in raws],
        too_large=len(given) - len(raws),
        sent_at=shape.sentAt or "",
        write_key=shape.writeKey or "",
    )


def _name(raw: bytes) -> str:
    """What tells a message from others: its messageId, or its bytes where it has none or cannot be read."""
    try:
        named = _named(raw).messageId
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        named = None
    return named or hashlib.sha256(raw).hexdigest()


def _when(said: Said, message: payloads.Message) -> tuple[datetime, tuple[str, ...]]:
    """When it happened, corrected by the sender's clock skew, and not in the future."""
    told = message.timestamp or message.originalTimestamp
    if told is None:
        return said.recorded, ()
    try:
        when = moment(told) + _skew(said.meta)
    except OverflowError:
        raise Refused("malformed_time", "beyond the calendar", pointer="/timestamp") from None
    at, flags = clamp(when, said.recorded)
    return at, (*zone_flags(told), *flags)


def _skew(meta: Mapping[str, str]) -> timedelta:
    """How far the sender's clock is behind ours: machine time of receiving less its own time of sending."""
    if "sent_at" not in meta or "received_at" not in meta:
        return timedelta()
    try:
        return moment(meta["received_at"]) - moment(meta["sent_at"])
    except Refused:
        return timedelta()


def _traits(message: payloads.Message) -> payloads.Traits:
    """A person's traits; RudderStack's SDKs put them into the context."""
    inner = message.context.traits if message.context else None
    nothing = payloads.Traits()
    return next((told for told in (message.traits, inner) if told and told != nothing), nothing)


def _names(said: Said, message: payloads.Message, kind: str) -> tuple[Key, ...]:
    """The names of whom a message is about; a group's traits are not a person's."""
    traits = _traits(message) if kind == "identify" else (message.context and message.context.traits)
    keys = [
        *customer_key(said.store, message.userId),
        *(email_key(traits.email) if traits else []),
        *(phone_key(traits.phone) if traits else []),
        *anonymous_key(said.store, message.anonymousId),
    ]
    if kind == "alias":
        keys += anonymous_key(said.store, message.previousId)
    return tuple(dict.fromkeys(keys))


def _claims(said: Said, message: payloads.Message, kind: str, keys: tuple[Key, ...], at: datetime) -> list[AnyClaim]:
    if kind == "identify":
        return [CustomerClaim(keys=keys, at=at, profile=_profile(message))]
    if kind == "alias":
        return [CustomerClaim(keys=keys, at=at)]
    if kind == "group":
        return [NoticeClaim(keys=keys, at=at, reason="group")]
    name = message.event if kind == "track" else message.name or kind.title()
    if not name:
        raise Refused("missing_event", "a track call needs the name of its event", pointer="/event")
    told = segment_commerce.Told(
        said=said,
        keys=keys,
        at=at,
        name=name,
        properties=bytes(message.properties),
        id=named(message.messageId) or hashlib.sha256(said.raw).hexdigest(),
        visitor=named(message.anonymousId or message.userId),
    )
    return segment_commerce.translate(told) if kind == "track" else segment_commerce.browse(told)


def _profile(message: payloads.Message) -> dict[str, str]:
    traits = _traits(message)
    context = message.context or payloads.Context()
    told = {
        "email": traits.email,
        "phone": traits.phone,
        "first_name": traits.firstName or traits.first_name,
        "last_name": traits.lastName or traits.last_name,
        "locale": traits.locale or context.locale,
        "zone": traits.timezone or context.timezone,
        "country": traits.country or (traits.address.country if isinstance(traits.address, payloads.Address) else None),
        "birthday": traits.birthday,
    }
    return {name: value for name, value in told.items() if value}
