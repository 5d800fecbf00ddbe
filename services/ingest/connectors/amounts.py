"""Order lines from a connector's decimals or minor units: net worked out, order-level amounts spread over the lines."""

from collections.abc import Sequence

from msgspec.structs import replace

from services.ingest.claims import Basket
from services.ingest.money import allocate
from shared.errors import Refused
from shared.events.ingest import Line, Money, Tender

MOST_PIECES = 10**9


def net_of(line: Line) -> Line:
    """The line with its net: gross less discount, less tax where the price includes it; never below zero."""
    discount = min(max(line.discount, 0), line.gross)
    tax = min(max(line.tax, 0), line.gross - discount) if line.tax_included else max(line.tax, 0)
    net = line.gross - discount - (tax if line.tax_included else 0)
    return replace(line, discount=discount, tax=tax, net=net)


def spread(lines: Sequence[Line], *, discount: int = 0, tax: int = 0) -> list[Line]:
    """Lines with an order-level discount and tax spread over them by what they cost, by largest remainder."""
    if not discount and not tax:
        return list(lines)
    after = [max(line.gross - line.discount, 0) for line in lines]
    off = allocate(min(discount, sum(after)), after)
    taxed = allocate(tax, [cost - less for cost, less in zip(after, off, strict=True)])
    return [
        replace(line, discount=line.discount + less, tax=line.tax + more)
        for line, less, more in zip(lines, off, taxed, strict=True)
    ]


def basket_of(
    lines: Sequence[Line],
    currency: str,
    exponent: int,
    *,
    total: int | None = None,
    tenders: tuple[Tender, ...] = (),
    presentment: Money | None = None,
) -> Basket:
    """The money side of an order; without a `total` it is what the lines cost with tax."""
    if any(line.gross < 0 or not 0 < line.quantity <= MOST_PIECES for line in lines):
        raise Refused("malformed_line", "a line has a negative price or an impossible quantity")
    done = tuple(net_of(line) for line in _told_apart(lines))
    cost = sum(line.net + line.tax for line in done)
    whole = cost if total is None else total
    if whole < 0:
        raise Refused("malformed_amount", "the total is negative")
    return Basket(
        currency=currency, exponent=exponent, lines=done, total=whole, tenders=tenders, presentment=presentment
    )


def _told_apart(lines: Sequence[Line]) -> list[Line]:
    """Lines whose ids are all different: repeats get a number."""
    seen: dict[str, int] = {}
    found = []
    for line in lines:
        times = seen.get(line.id, 0)
        seen[line.id] = times + 1
        found.append(replace(line, id=f"{line.id}#{times + 1}") if times else line)
    return found
