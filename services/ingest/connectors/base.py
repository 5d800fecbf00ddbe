"""What every connector does: verify, tell repeats apart, and translate a delivery into claims."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from services.ingest.claims import AnyClaim, Key, Said
from shared.errors import Refused

T = TypeVar("T")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
LONGEST_ID = 512


class Connector(ABC):
    """One way for a platform to tell us things."""

    name: str
    """The name in the webhook's address and in a source's `kind`."""

    def handshake(self, raw: bytes, headers: Mapping[str, str]) -> bytes | None:
        """The answer to what is sent only to see whether somebody is there; None for a real delivery."""
        return None

    @abstractmethod
    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Mapping[str, str]) -> str:
        """The id of the secret (id → secret) that signed the raw bytes; raises Refused (401) when none did."""

    @abstractmethod
    def dedupe(self, headers: Mapping[str, str], raw: bytes) -> bytes:
        """What two deliveries of the same thing have in common, within one source."""

    def meta(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers (lower-case names) that translating needs later."""
        return {}

    @abstractmethod
    def translate(self, said: Said) -> list[AnyClaim]:
        """The claims a delivery makes; raises Refused with a reason for what never can be understood."""


def has_nul(raw: bytes) -> bool:
    """Whether JSON text escapes a NUL character, which PostgreSQL cannot keep."""
    return b"u0000" in raw and _NUL.search(raw) is not None


def flagged(claims: Sequence[AnyClaim], flags: tuple[str, ...]) -> list[AnyClaim]:
    """The claims, each with what had to be assumed."""
    return [replace(claim, flags=(*claim.flags, *flags)) for claim in claims] if flags else list(claims)


def decode(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Read JSON of a known shape; raises Refused for whatever is wrong with it."""
    if has_nul(raw):
        raise Refused("nul_character", "text holds a NUL character", status=400)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise Refused("malformed", message, status=400, pointer=pointer(path)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("malformed_json", str(error), status=400, pointer="") from None
    except RecursionError:
        raise Refused("too_deep", "nested too deeply", status=400, pointer="") from None


def pointer(path: str) -> str:
    """A JSON Pointer (RFC 6901) for a path as `$.a.b[0]`."""
    parts = re.findall(r"[^.\[\]`$]+", path)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def named(value: object) -> str:
    """An id as its exact text, '' for none; raises Refused beyond 512 characters."""
    text = "" if value is None else str(value).strip()
    if len(text) > LONGEST_ID:
        raise Refused("id_too_long", "an id is longer than 512 characters")
    return text


def email_key(address: str | None) -> list[Key]:
    """The key of an e-mail address, case and spaces aside; none for what is no address."""
    text = named(address).casefold()
    return [Key("email", "", text)] if "@" in text[1:-1] else []


def phone_key(number: str | None) -> list[Key]:
    """The key of a telephone number in international form (digits after a plus); none for any other."""
    text = "".join(re.findall(r"[+\d]", named(number)))
    return [Key("phone", "", text)] if re.fullmatch(r"\+\d{7,15}", text) else []


def customer_key(store: str, value: object) -> list[Key]:
    """The key of a store's own customer id; none for an empty one."""
    text = named(value).rpartition("gid://shopify/Customer/")[2]
    return [Key("customer", store, text)] if text else []


def anonymous_key(store: str, value: object) -> list[Key]:
    """The key of a browser or device; none for an empty one."""
    text = named(value)
    return [Key("anonymous", store, text)] if text else []
