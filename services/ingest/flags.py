"""What is odd about a delivery that was understood all the same: kept with its verdict, for the shop to mend."""

from typing import Any

import msgspec

LARGE_EVENT = 32 * 1024
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def flags_of(raw: bytes, *, is_event: bool) -> list[str]:
    """`large_event` for an event over 32 KB, `duplicate_keys` where an object names a key twice (the last counts)."""
    found = ["large_event"] if is_event and len(raw) > LARGE_EVENT else []
    return [*found, "duplicate_keys"] if has_twin_keys(raw) else found


def has_twin_keys(raw: bytes) -> bool:
    """Whether an object in JSON text names a key twice; keys with a space before their colon are not looked at."""
    try:
        said, written = _any(raw), _written(raw)
        return written > _written(_encode(said)) and written > _keys(said)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _written(raw: bytes) -> int:
    """How many keys JSON text shows at the least: what ends in a backslash is not counted."""
    return raw.count(b'":') - raw.count(b'\\":')


def _keys(value: Any) -> int:
    kind, found = type(value), 0
    if kind is dict:
        found, value = len(value), value.values()
    elif kind is not list:
        return 0
    for inner in value:
        if type(inner) is dict or type(inner) is list:
            found += _keys(inner)
    return found
