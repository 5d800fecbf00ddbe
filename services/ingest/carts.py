"""Carts: snapshots and single steps, in any order, fold into the whole cart; an order ends it."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from services.ingest.claims import CartClaim, CartStep, Rank
from shared.events.ingest import Cart, CartEmptied, CartFact, CartLine, CartUpdated

MOST_STEPS = 200
_encode = msgspec.json.Encoder().encode


class CartState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest snapshot, the steps since, who names the cart, and when an order ended the one that came before."""

    named_by: Rank | None = None
    currency: str = ""
    exponent: int = 2
    lines: tuple[CartLine, ...] = ()
    snapshot_at: datetime | None = None
    steps: tuple[CartStep, ...] = ()
    stage: Literal["cart", "checkout"] = "cart"
    restore_url: str = ""
    changed_at: datetime | None = None
    ended_at: datetime | None = None


def learn(state: CartState, claim: CartClaim) -> CartState:
    """The state after one more claim; what happened before the cart ended, or was heard already, changes nothing."""
    if state.ended_at is not None:
        if claim.at <= state.ended_at:
            return state
        if not has_begun(state):
            state = CartState(ended_at=state.ended_at)
    known = claim.step is not None and any(step.id == claim.step.id for step in state.steps)
    if known:
        return state
    namers = [namer for namer in (state.named_by, claim.named_by) if namer is not None]
    state = replace(state, named_by=max(namers, default=None))
    changed = max(claim.at, state.changed_at) if state.changed_at else claim.at
    state = replace(state, changed_at=changed, currency=claim.currency, exponent=claim.exponent)
    if claim.stage == "checkout":
        state = replace(state, stage="checkout")
    if claim.restore_url:
        state = replace(state, restore_url=claim.restore_url)
    if claim.lines is not None:
        state = _snapshot(state, claim.lines, claim.at)
    return _step(state, claim.step) if claim.step is not None else state


def _snapshot(state: CartState, lines: tuple[CartLine, ...], at: datetime) -> CartState:
    before = state.snapshot_at
    if before is not None and (at < before or (at == before and _encode(lines) <= _encode(state.lines))):
        return state
    return replace(state, lines=lines, snapshot_at=at, steps=tuple(step for step in state.steps if step.at > at))


def _step(state: CartState, step: CartStep) -> CartState:
    if state.snapshot_at is not None and step.at <= state.snapshot_at:
        return state
    steps = tuple(sorted((*state.steps, step), key=lambda known: (known.at, known.id)))
    if len(steps) <= MOST_STEPS:
        return replace(state, steps=steps)
    old = replace(state, steps=steps[: MOST_STEPS // 2])
    return replace(state, lines=content(old), snapshot_at=old.steps[-1].at, steps=steps[MOST_STEPS // 2 :])


def end(state: CartState, at: datetime) -> CartState:
    """The state after an order placed at `at` ended the cart; a cart changed later than that goes on."""
    if state.ended_at is not None and at <= state.ended_at:
        return state
    return replace(state, ended_at=at)


def has_begun(state: CartState) -> bool:
    """Whether anything happened in the cart since the last order that ended one."""
    return state.changed_at is not None and (state.ended_at is None or state.changed_at > state.ended_at)


def is_open(state: CartState) -> bool:
    """Whether the cart holds something that no order has ended."""
    return has_begun(state) and bool(content(state))


def content(state: CartState) -> tuple[CartLine, ...]:
    """The lines of the cart: the snapshot and then each step in the order of time; nothing below zero."""
    lines = {(line.product, line.variant): line for line in state.lines}
    for step in state.steps:
        key = (step.line.product, step.line.variant)
        quantity = step.line.quantity + (lines[key].quantity if key in lines else 0)
        if quantity > 0:
            newest = step.line if step.line.quantity > 0 else lines[key]
            lines[key] = replace(newest, quantity=quantity)
        else:
            lines.pop(key, None)
    return tuple(line for line in lines.values() if line.quantity > 0)


def news(before: Cart | None, after: Cart) -> type[CartFact] | None:
    """The fact that tells how a cart changed; None if its content did not."""
    if before is not None and replace(after, revision=before.revision, changed_at=before.changed_at) == before:
        return None
    if after.lines:
        return CartUpdated
    return CartEmptied if before is not None and before.lines else None
