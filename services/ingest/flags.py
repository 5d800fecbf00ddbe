"""What is odd about a delivery that was understood all the same: kept with its verdict, for the shop to mend."""

from typing import Any

import msgspec

LARGE_EVENT = 32 * 1024
_any = msgspec.json.Decoder().decode


def flags_of(raw: bytes, *, is_event: bool) -> list[str]:
    """`large_event` for an event over 32 KB, `duplicate_keys` where an object names a key twice (the last counts)."""
    found = ["large_event"] if is_event and len(raw) > LARGE_EVENT else []
    return [*found, "duplicate_keys"] if has_twin_keys(raw) else found


def has_twin_keys(raw: bytes) -> bool:
    """Whether an object in JSON text names a key twice; keys with a space before their colon are not looked at."""
    written = raw.count(b'":') - raw.count(b'\\":')
    try:
        return written > _keys(_any(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


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
