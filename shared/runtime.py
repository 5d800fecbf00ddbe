"""The runtime: takes services and a bus and makes a process of them."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware

from shared import books
from shared.bus import connect as bus_connect
from shared.bus.base import Bus
from shared.clock import Clock, machine_seconds
from shared.db.base import Database
from shared.direct import DirectRoute
from shared.errors import Unavailable
from shared.front import Front
from shared.health import health_routes
from shared.observe import METRICS
from shared.openapi import describe
from shared.running import Running
from shared.service import Pace, Service
from shared.settings import Settings
from shared.tracing import TRACING
from shared.web import install, refuse_unkept

log = structlog.get_logger()
HTTP_SECONDS = 6
CROSS_ORIGIN_HEADERS = ("authorization", "content-type", "idempotency-key", "x-write-key", "x-retry-count")
STOP_SECONDS = 8.0
CLOSE_SECONDS = 4.0


class LoopState:
    """What the supervisor knows of one loop."""

    def __init__(self, service: str, name: str, silence: float) -> None:
        self.service = service
        self.name = name
        self.silence = silence
        self.waiting_for = ""
        self.failure = ""
        self.last_good = machine_seconds()


class Runtime:
    """A process: services, their loops, one FastAPI app; bus and databases are those of the settings unless given."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        *,
        clock: Clock | None = None,
        batch_size: int | None = None,
        bus: Bus | None = None,
        databases: Mapping[str, Database] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock(timedelta(seconds=settings.clock_offset_seconds))
        self.bus: Bus = bus or bus_connect.connect(settings)
        given = databases or {}
        writer = settings.replica or f"{os.uname().nodename}-{os.getpid()}"
        self.running = [
            Running(service, settings, self.clock, self.bus, given.get(service.name), writer, batch_size)
            for service in services
        ]
        self.stopping = asyncio.Event()
        self.states: list[LoopState] = []
        self.app = self._make_app()
        self.front = CORSMiddleware(
            Front(
                self.app,
                {path: make(one) for one in self.running for path, make in one.service.asgi.items()},
                {path: DirectRoute(one, way) for one in self.running for path, way in one.service.direct.items()},
                {prefix: service.name for service in services for prefix in service.prefixes},
            ),
            allow_origins=["*"],
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=CROSS_ORIGIN_HEADERS,
            max_age=86_400,
        )

    def of(self, name: str) -> Running:
        """One service of this process."""
        return next(one for one in self.running if one.service.name == name)

    async def open(self) -> None:
        """Open databases and bus; say where traces go."""
        TRACING.begin(self.settings.otlp_endpoint)
        await self.bus.open()
        for one in self.running:
            await one.open()

    async def close(self) -> None:
        """Leave the groups, let go of leases, bus and databases; what is away holds nobody up for long."""
        await _within(CLOSE_SECONDS, *(one.relay.release() for one in self.running))
        await _within(CLOSE_SECONDS, *(one.inbox.leave() for one in self.running))
        await _within(CLOSE_SECONDS, self.bus.close())
        await _within(CLOSE_SECONDS, *(one.db.close() for one in self.running))
        if TRACING.on:
            await _within(CLOSE_SECONDS, asyncio.to_thread(TRACING.end))

    async def verify(self, *, wait_seconds: float = books.QUIET_SECONDS) -> books.Verdict:
        """Prove the books of all services in this process."""
        return await books.verify(self.running, self.bus, self.clock.now(), wait_seconds=wait_seconds)

    async def verify_deep(self) -> list[str]:
        """Hold the services in this process against the archive of facts; what does not add up, in words."""
        return await books.verify_deep(self.running)

    def _make_app(self) -> FastAPI:
        app = FastAPI(title="Querencia", version="0.1.0", lifespan=self._lifespan, docs_url="/docs", redoc_url=None)
        install(app)
        for one in self.running:
            app.include_router(one.service.router, dependencies=[_bound(one)])
        app.include_router(health_routes(self))
        services = [one.service for one in self.running]
        documents = [service.documents() for service in services if service.documents is not None]
        describe(app, [service.router for service in services], documents)
        return app

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        await self.open()
        tasks = [asyncio.create_task(keep(), name=name) for name, keep in self._keepers()]
        collect_seldom()
        try:
            yield
        finally:
            self.stopping.set()
            for news in [news for one in self.running for news in one.news.values()]:
                news.set()
            await self._stop(tasks)
            await self.close()

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        _done, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSE_SECONDS)

    def _keepers(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        keepers: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [("loop lag", self._watch_loop)]
        for one in self.running:
            steps: dict[str, Callable[[], Awaitable[int]]] = {
                "relay": one.publish,
                "inbox": one.inbox.step,
                "timers": one.timers.step,
                "housekeeping": one.housekeeping.step,
                **{name: loop.step for name, loop in one.loops.items()},
            }
            paces = {
                "inbox": Pace(rest=0),
                "relay": Pace(longest=0.25, wakes=""),
                **{name: getattr(loop, "pace", Pace()) for name, loop in one.loops.items()},
            }
            for name, step in steps.items():
                pace = paces.get(name, Pace())
                state = LoopState(one.service.name, name, pace.silence)
                self.states.append(state)
                keepers.append((f"{one.service.name} {name}", self._keeper(one, state, step, pace)))
        return keepers

    def _keeper(
        self, one: Running, state: LoopState, step: Callable[[], Awaitable[int]], pace: Pace
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        async def keep() -> None:
            structlog.contextvars.bind_contextvars(service=state.service, loop=state.name)
            back_off, rest = 0.1, pace.rest
            while not self.stopping.is_set():
                worked = await self._one_step(state, step)
                if worked is None:
                    await self._rest(back_off)
                    back_off = min(pace.back_off, back_off * 2)
                    continue
                back_off = 0.1
                if worked and pace.wakes:
                    one.news[pace.wakes].set()
                if worked or not rest:
                    rest = pace.rest
                    await asyncio.sleep(0)
                else:
                    await _hear(one.news[state.name], rest)
                    rest = min(pace.longest, rest * 2)

        return keep

    async def _one_step(self, state: LoopState, step: Callable[[], Awaitable[int]]) -> int | None:
        """Step once; gives how much was done, None when the loop has to back off."""
        try:
            worked = await step()
        except Unavailable as error:
            state.waiting_for = str(error)
            return None
        except Exception as error:
            log.exception("loop failed", service=state.service, loop=state.name)
            state.failure = f"{type(error).__name__}: {error}"
            METRICS.restarts.labels(state.service, state.name).inc()
            return None
        state.waiting_for = state.failure = ""
        state.last_good = machine_seconds()
        return worked

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _watch_loop(self) -> None:
        while not self.stopping.is_set():
            begun = machine_seconds()
            await self._rest(0.5)
            METRICS.loop_lag.set(max(0.0, machine_seconds() - begun - 0.5))

    async def run(self) -> None:
        """Serve HTTP until SIGTERM or SIGINT, then drain."""
        config = uvicorn.Config(
            self.front,
            host=self.settings.http_host,
            port=self.settings.http_port,
            access_log=False,
            log_level="warning",
            log_config=None,
            timeout_graceful_shutdown=HTTP_SECONDS,
            http="httptools",
            loop="none",
            server_header=False,
        )
        server = uvicorn.Server(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        await server.serve()
        if not server.started:
            raise SystemExit(3)


async def _hear(news: asyncio.Event, seconds: float) -> None:
    """Wait for news, no longer than so many seconds; what is told from now on is news again."""
    waker = asyncio.get_running_loop().call_later(seconds, news.set)
    try:
        await news.wait()
    finally:
        waker.cancel()
    news.clear()


def collect_seldom() -> None:
    """Leave what start-up has made alone and look for circles seldom: a batch makes much and drops it at once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _within(seconds: float, *acts: Coroutine[Any, Any, None]) -> None:
    """Do all of these at once, and no longer than so many seconds."""
    tasks = [asyncio.create_task(act) for act in acts]
    _done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    for failure in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(failure, Exception):
            log.warning("closing failed", reason=f"{type(failure).__name__}: {failure}")


def _bound(one: Running) -> Any:
    async def bind(request: Request) -> None:
        request.state.running = one
        structlog.contextvars.bind_contextvars(service=one.service.name)
        if request.scope["route"].body_field is not None:
            await refuse_unkept(request)

    return Depends(bind)
