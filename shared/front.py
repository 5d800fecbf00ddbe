"""The front of a process: plain ASGI callables for hot paths, the app for all else, a step of a trace around each."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI

from shared.characters import asks_with_nul
from shared.direct import DirectRoute
from shared.observe import traceparent
from shared.tracing import TRACING, requested
from shared.web import problem


class Front:
    """Hands hot paths (exact, or by prefix where they end in `/`) to plain ASGI callables, all else to the app.

    A POST to one of the `direct` paths takes the short way; `owners` are the services by the prefixes of their paths.
    """

    def __init__(
        self, app: FastAPI, hot: Mapping[str, Any], direct: Mapping[str, DirectRoute], owners: Mapping[str, str]
    ) -> None:
        self._app = app
        self._direct = direct
        self._owners = owners
        self._exact = {path: handler for path, handler in hot.items() if not path.endswith("/")}
        self._prefixes = [(path, handler) for path, handler in hot.items() if path.endswith("/")]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if TRACING.on and scope["type"] == "http" and (owner := self._owner(scope["path"])):
            with requested(scope, send, owner) as (within, reply):
                await self._answer(within, receive, reply)
        else:
            await self._answer(scope, receive, send)

    def _owner(self, path: str) -> str:
        """The service that a path belongs to; '' for what is for operators."""
        parts = path.split("/")
        return self._owners.get("/".join(parts[:3])) or self._owners.get("/".join(parts[:2]), "")

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if asks_with_nul(scope):
                await problem(400, "malformed", "the path or query holds a NUL")(scope, receive, send)
                return
            path = scope["path"]
            _known_by_trace(scope)
            if scope["method"] == "POST" and path in self._direct:
                await self._direct[path](self._app, scope, receive, send)
                return
            handler = self._exact.get(path) or self._exact.get(path.rstrip("/"))
            if handler is None:
                handler = next((each for prefix, each in self._prefixes if path.startswith(prefix)), None)
            if handler is not None:
                await handler(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _known_by_trace(scope: Any) -> None:
    """Have whatever is logged while a request is answered name the trace that its caller named."""
    given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    if given:
        structlog.contextvars.bind_contextvars(trace=traceparent(given.decode("latin-1")))
