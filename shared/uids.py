"""UUIDs of the class that PostgreSQL's driver makes of its own: a tenth of the standard library's cost, equal to it."""

import hashlib
import os
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811


def uid(given: bytes | str) -> UUID:
    """A UUID of its 16 bytes or its text; raises ValueError for anything else."""
    made: UUID = DriverUUID(given)  # type: ignore[type-var]
    return made


def uid_within(space: UUID, name: str) -> UUID:
    """The UUID of a name within a name space: version 5 of RFC 9562."""
    digest = bytearray(hashlib.sha1(space.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return uid(bytes(digest))


def new_uid() -> UUID:
    """A random UUID: version 4 of RFC 9562."""
    drawn = bytearray(os.urandom(16))
    drawn[6] = drawn[6] & 0x0F | 0x40
    drawn[8] = drawn[8] & 0x3F | 0x80
    return uid(bytes(drawn))
