"""The state machine of journeys: what an event or an answer of the arbiter makes of a run; pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.notifications.journeys.base import EVERY_RUN, After, Await, End, Journey, Learn, Start
from services.notifications.records import Contact, Content, Run, RunState
from shared.events import Event, Lane

UNSTARTED = -1


class Change(msgspec.Struct, frozen=True):
    """A run's next state; `due` is when to look at it again (None: never), `dropped` the steps given up, and why."""

    run: Run
    due: datetime | None = None
    dropped: tuple[tuple[str, str], ...] = ()


class Scene(msgspec.Struct, frozen=True):
    """What an event meets: the contact, and its runs of one journey by key."""

    contact: Contact
    runs: Mapping[str, Run]


def react(journey: Journey, event: Event[Any], scene: Scene) -> tuple[Change, ...]:
    """All that one event changes in one journey of one customer."""
    start = journey.starts
    if isinstance(event.fact, start.on) and start.when(event):
        return _begin(journey, event, scene)
    for end in journey.ends:
        if isinstance(event.fact, end.on) and end.when(event):
            return tuple(_end(journey, end, event, scene))
    for learn in journey.learns:
        if isinstance(event.fact, learn.on):
            return _learn(journey, learn, event, scene)
    return ()


def known_of_both(journey: Journey, run: Run, contact: Contact) -> Change:
    """A run after its customer and another became one contact: over if what either bought came after its clock."""
    bought = journey.outdated_by(contact)
    if run.state is RunState.RUNNING and bought is not None and run.clock <= bought:
        return _stopped(journey, replace(run, bought_at=_latest(run.bought_at, bought)), "purchased", bought)
    return Change(run, due(journey, run))


def keys(journey: Journey, event: Event[Any]) -> set[str]:
    """The keys of the runs that an event may be about, EVERY_RUN aside."""
    about: tuple[Start | End | Learn, ...] = (journey.starts, *journey.ends, *journey.learns)
    return {part.key(event) for part in about if isinstance(event.fact, part.on)} - {EVERY_RUN}


def due(journey: Journey, run: Run) -> datetime | None:
    """When the run's next step is due; None when none is."""
    if run.state is not RunState.RUNNING:
        return None
    step = step_of(journey, run)
    if isinstance(step, After):
        return run.clock + step.delay
    return run.clock if step.ready(run.content) else run.clock + step.timeout


def advance(journey: Journey, run: Run, now: datetime, *, sent: bool) -> Change:
    """The run after its next step was sent or given up at `now`."""
    position = run.position + 1
    state = RunState.DONE if position == len(journey.edition(run.version).steps) else RunState.RUNNING
    moved = replace(run, position=position, state=state, stepped_at=now if sent else run.stepped_at)
    return Change(moved, due(journey, moved))


def step_of(journey: Journey, run: Run) -> After | Await:
    """The run's next step."""
    return journey.edition(run.version).steps[run.position]


def _blank(journey: Journey, key: str, event: Event[Any]) -> Run:
    return Run(
        account=event.account,
        journey=journey.name,
        key=key,
        customer=event.customer,
        store=event.store,
        version=journey.version,
        state=RunState.EXPECTED,
        reason="",
        revision=UNSTARTED,
        clock=event.time,
        position=0,
        stepped_at=None,
        bought_at=None,
        content=Content(),
    )


def _begin(journey: Journey, event: Event[Any], scene: Scene) -> tuple[Change, ...]:
    start = journey.starts
    key, revision = start.key(event), start.revision(event)
    old = scene.runs.get(key)
    barred = start.barred(event, journey.since)
    if (old is None and barred == "history") or (old is not None and revision <= old.revision):
        return ()
    base = old or _blank(journey, key, event)
    run = replace(
        base,
        customer=event.customer,
        store=event.store or base.store,
        revision=revision,
        content=start.content(event, base.content),
    )
    if barred and base.state is RunState.EXPECTED:
        return (Change(replace(run, state=RunState.ENDED, reason=barred)),)
    if base.state is RunState.EXPECTED or journey.restarts:
        return (_wound(journey, run, start.clock(event), scene.contact),)
    return (Change(run, due(journey, run)),)


def _wound(journey: Journey, run: Run, clock: datetime, contact: Contact) -> Change:
    """The run with its clock set anew: bought already, or in a new episode since the purchase, or going on."""
    moved = replace(run, clock=clock)
    bought = _latest(run.bought_at, journey.outdated_by(contact))
    if bought is not None and clock <= bought:
        return _stopped(journey, replace(moved, bought_at=bought), "purchased", bought)
    if run.reason == "purchased":
        moved = replace(moved, position=0)
    if moved.position < len(journey.edition(run.version).steps):
        moved = replace(moved, state=RunState.RUNNING, reason="")
    return Change(moved, due(journey, moved))


def _end(journey: Journey, end: End, event: Event[Any], scene: Scene) -> Iterator[Change]:
    key, at = end.key(event), end.at(event)
    if key == EVERY_RUN:
        for run in scene.runs.values():
            if run.state is RunState.RUNNING and run.clock <= at:
                yield _stopped(journey, _bought(run, end, at), end.reason, at)
        return
    known = scene.runs.get(key)
    if known is None and event.lane is Lane.HISTORY:
        return
    run = known or replace(_blank(journey, key, event), clock=at)
    revision = end.revision(event) if end.revision else None
    if (revision is not None and revision <= run.revision) or (end.buys and _counted(run, at)):
        return
    over = revision is not None or run.clock <= at
    run = _bought(replace(run, revision=run.revision if revision is None else revision), end, at)
    yield _stopped(journey, run, end.reason, at) if over else Change(run, due(journey, run))


def _counted(run: Run, at: datetime) -> bool:
    """Whether the run knows of a purchase at `at` already: each revision of an order tells of it again."""
    return run.state is not RunState.RUNNING and run.bought_at is not None and at <= run.bought_at


def _bought(run: Run, end: End, at: datetime) -> Run:
    return replace(run, bought_at=_latest(run.bought_at, at)) if end.buys else run


def _stopped(journey: Journey, run: Run, reason: str, at: datetime) -> Change:
    dropped: list[tuple[str, str]] = []
    if run.state is RunState.RUNNING:
        dropped.append((step_of(journey, run).message.template, reason))
    if reason == "purchased" and run.stepped_at is not None and run.position and at < run.stepped_at:
        last = replace(run, position=run.position - 1)
        dropped.append((step_of(journey, last).message.template, "late_purchase"))
    return Change(replace(run, state=RunState.ENDED, reason=reason), None, tuple(dropped))


def _learn(journey: Journey, learn: Learn, event: Event[Any], scene: Scene) -> tuple[Change, ...]:
    key = learn.key(event)
    known = scene.runs.get(key)
    if known is None and event.lane is Lane.HISTORY:
        return ()
    run = known or _blank(journey, key, event)
    if run.state not in {RunState.EXPECTED, RunState.RUNNING}:
        return ()
    wiser = replace(run, content=learn.content(event, run.content))
    return (Change(wiser, due(journey, wiser)),)


def _latest(first: datetime | None, second: datetime | None) -> datetime | None:
    return max((at for at in (first, second) if at is not None), default=None)
