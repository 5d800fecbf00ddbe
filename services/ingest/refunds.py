"""Refunds: what was given back, by line; any split of a refund into parts ends in the same lines."""

from collections.abc import Sequence

from msgspec.structs import replace

from services.ingest.claims import Basket, RefundSaid
from services.ingest.money import allocate
from shared.events.ingest import Line


def apply_refunds(basket: Basket, refunds: Sequence[RefundSaid]) -> tuple[tuple[Line, ...], int]:
    """The lines with what was refunded of each, and the whole amount given back; never more than was paid.

    What a refund gives back beyond the lines it names is spread once, from the sum of all refunds, over what is left
    of all lines (goods and tax) by largest remainder.
    """
    if not refunds:
        return basket.lines, 0
    lines = [_named(line, refunds) for line in basket.lines]
    given = _given_back(basket, refunds)
    left = [line.net + line.tax - _with_tax(line) for line in lines]
    spare = min(max(given - sum(_with_tax(line) for line in lines), 0), sum(left))
    parts = allocate(spare, left) if spare else [0] * len(lines)
    return tuple(_spread(line, part) for line, part in zip(lines, parts, strict=True)), given


def _given_back(basket: Basket, refunds: Sequence[RefundSaid]) -> int:
    if any(refund.amount is None and not refund.lines for refund in refunds):
        return basket.total
    by_lines = [refund for refund in refunds if refund.amount is None]
    amount = sum(refund.amount for refund in refunds if refund.amount is not None)
    return min(amount + sum(_with_tax(_named(line, by_lines)) for line in basket.lines), basket.total)


def _named(line: Line, refunds: Sequence[RefundSaid]) -> Line:
    """The line with what refunds say of it by name."""
    parts = [part for refund in refunds for part in refund.lines if part.line == line.id]
    quantity = min(sum(part.quantity for part in parts), line.quantity)
    pieces = min(sum(part.quantity for part in parts if part.amount is None), line.quantity)
    amount = sum(part.amount for part in parts if part.amount is not None) + line.net * pieces // line.quantity
    return replace(line, refunded=min(amount, line.net), refunded_quantity=quantity)


def _with_tax(line: Line) -> int:
    """What the refunded part of a line was worth to its customer, tax included."""
    return line.refunded + (line.tax * line.refunded // line.net if line.net else 0)


def _spread(line: Line, part: int) -> Line:
    """The line after `part` more (tax included) was given back on it."""
    if not part:
        return line
    whole = line.net + line.tax
    if part >= whole - _with_tax(line):
        return replace(line, refunded=line.net, refunded_quantity=line.quantity)
    return replace(line, refunded=min(line.refunded + part * line.net // whole, line.net))
