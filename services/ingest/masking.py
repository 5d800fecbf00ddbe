"""Personal data made unreadable, where somebody watches deliveries come in."""

import re
from typing import Any

import msgspec

MASK = "***"
_EMAIL = re.compile(r"([^\s@\"<>:,;/]{1,64})@([^\s@\"<>,;/]+\.[^\s@\"<>,;/]+)")
_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d")
_PERSONAL = re.compile(
    r"e_?mail|phone|first_?name|last_?name|full_?name|user_?name|^name$|^company$|address|street|city|^zip"
    r"|post_?al|post_?code|birth|(^|_)ip$|latitude|longitude",
    re.IGNORECASE,
)
_PEOPLE = frozenset(
    {"customer", "traits", "billing", "shipping", "billing_address", "shipping_address", "default_address", "address"}
)
_any = msgspec.json.Decoder().decode


def masked(raw: bytes) -> str:
    """A delivery as text in which no address, telephone number or person's name can be read."""
    try:
        return msgspec.json.encode(_masked(_any(raw), inside=False)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(raw.decode("utf-8", "replace"))


def _masked(value: Any, *, inside: bool) -> Any:
    """`inside` says that the value belongs to a person, of whom a plain `name` is personal too."""
    if isinstance(value, dict):
        return {_text(key): _field(key, inner, inside=inside) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, inside=inside) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _field(key: str, value: Any, *, inside: bool) -> Any:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    if _PERSONAL.search(key) and (inside or key.lower() != "name"):
        if plain:
            return MASK
        if isinstance(value, list):
            return [_field(key, inner, inside=inside) for inner in value]
    return _masked(value, inside=inside or key.lower() in _PEOPLE)


def _text(text: str) -> str:
    return _PHONE.sub(MASK, _EMAIL.sub(rf"{MASK}@{MASK}", text))
