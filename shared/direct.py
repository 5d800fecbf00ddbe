"""Routes that are called often: answered by their own function at once, past FastAPI's routing and dependencies."""

import json
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request
from pydantic import TypeAdapter

from shared.characters import suspect
from shared.errors import Refused, Unavailable
from shared.service import Direct
from shared.web import problem_of

if TYPE_CHECKING:
    from shared.running import Running

MOST_BYTES = 64 * 1024


class DirectRoute:
    """The short way of one POST route: a call whose body fits goes past FastAPI's routing and dependencies.

    Whatever is odd about a call, FastAPI answers it.
    """

    def __init__(self, running: "Running", direct: Direct) -> None:
        self._running = running
        self._direct = direct
        self._body: TypeAdapter[Any] = TypeAdapter(direct.body)

    async def __call__(self, app: Any, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one call, or let the app answer it."""
        again = _Again(receive)
        asked = self._asked(scope, await again.read())
        if asked is None:
            await app(scope, again, send)
            return
        request = Request(scope, again)
        request.state.running = self._running
        structlog.contextvars.bind_contextvars(service=self._running.service.name)
        try:
            caller = await self._direct.caller(request)
            response = await self._direct.answer(request, asked, caller)
        except Exception as error:
            await problem_of(error)(scope, again, send)
            if not isinstance(error, Refused | Unavailable):
                raise  # the server logs it
            return
        await response(scope, again, send)

    def _asked(self, scope: MutableMapping[str, Any], raw: bytes | None) -> Any:
        """The body as the route wants it, None where it does not fit."""
        if raw is None or suspect(raw) or (b"content-type", b"application/json") not in scope["headers"]:
            return None
        try:
            return self._body.validate_python(json.loads(raw))
        except (ValueError, RecursionError):
            return None


class _Again:
    """What was received, to be received again."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._messages: list[MutableMapping[str, Any]] = []

    async def read(self) -> bytes | None:
        """The whole body; None where it is too large for here, or its sender has gone."""
        parts: list[bytes] = []
        size = 0
        while size <= MOST_BYTES:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body"):
                return b"".join(parts)
        return None

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next message."""
        return self._messages.pop(0) if self._messages else await self._receive()
