"""Where callers carry their key: a header goes before the query, the query before the body."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs

from services.ingest.bodies import Scope

MASKED = "***"


def key_of(scope: Scope, headers: Mapping[str, str]) -> str:
    """The key in `Authorization` (Bearer, or Basic as its user), `X-Write-Key` or the query's `writeKey`, else ''."""
    authorization = headers.get("authorization", "")
    return (_authorized(authorization) if authorization else "") or headers.get("x-write-key", "") or _asked(scope)


def key_within(written: str) -> str:
    """The key a body names, '' for one that its client has made unreadable (`kid:***`)."""
    return "" if MASKED in written else written


def _authorized(authorization: str) -> str:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=False).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def _asked(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1")).get("writeKey", [""])[0] if query else ""
