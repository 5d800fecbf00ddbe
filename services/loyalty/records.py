"""What loyalty keeps: one frozen struct for each table, its fields in the order of the table's columns."""

from datetime import datetime
from typing import Final, Literal

import msgspec

Side = Literal["issuer", "pending", "available", "held", "redeemed", "expired", "written_off"]
ISSUER: Final = "issuer"
PENDING: Final = "pending"
AVAILABLE: Final = "available"
HELD: Final = "held"
REDEEMED: Final = "redeemed"
EXPIRED: Final = "expired"
WRITTEN_OFF: Final = "written_off"
IMPORTED: Final = "import"

Kind = Literal[
    "earn",
    "award",
    "clawback",
    "mature",
    "expire",
    "redeem",
    "hold",
    "capture",
    "release",
    "reverse",
    "adjust",
    "merge",
    "import",
    "transfer",
]


class Move(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """What counts for tiers: known from local day `day` on, counted until `accrued` leaves the window (ordinal days).

    Qualifying points, money spent in minor units of the programme's currency, orders, friends brought.
    """

    day: int
    accrued: int
    points: int
    spent: int = 0
    orders: int = 0
    friends: int = 0


class Use(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a capped rule has given a member in the period that begins on the local day `period` (0: ever)."""

    rule: str
    period: int
    points: int
    times: int


class Pass(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A membership that was paid for with `order`: this tier from local day `since` to before `until`."""

    order: str
    plan: str
    tier: str
    since: int
    until: int


class Member(msgspec.Struct, frozen=True):
    """A member's wallet. `available` is what open lots hold less `debt`; `held` is set aside by holds.

    The `*_due` instants are those of the member's timers; lots expiring until `noticed` were announced. `birthday`
    is MM-DD, known since the local day `birthday_since`. `active_at` is the last activity that keeps points alive;
    `warned` the local day for which the loss of the tier was announced.
    """

    account: str
    customer: str
    joined_at: datetime
    program: str = ""
    tier: str = ""
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    earned: int = 0
    redeemed: int = 0
    moves: tuple[Move, ...] = ()
    first_order: str = ""
    erased: bool = False
    mature_due: datetime | None = None
    expire_due: datetime | None = None
    notice_due: datetime | None = None
    review_due: datetime | None = None
    noticed: datetime | None = None
    dates_due: datetime | None = None
    segments: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    birthday: str = ""
    birthday_since: int = 0
    active_at: datetime | None = None
    warn_due: datetime | None = None
    passes: tuple[Pass, ...] = ()
    warned: int = 0


class Habits(msgspec.Struct, frozen=True, array_like=True):
    """What only judgement looks at of a member; kept as one document, so that a wallet is a narrow row."""

    joined_at: datetime
    program: str
    earned: int
    redeemed: int
    moves: tuple[Move, ...]
    first_order: str
    erased: bool
    mature_due: datetime | None
    expire_due: datetime | None
    notice_due: datetime | None
    review_due: datetime | None
    noticed: datetime | None
    dates_due: datetime | None = None
    segments: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    birthday: str = ""
    birthday_since: int = 0
    active_at: datetime | None = None
    warn_due: datetime | None = None
    passes: tuple[Pass, ...] = ()
    warned: int = 0


class MemberRow(msgspec.Struct, frozen=True):
    """A member as the table keeps one."""

    account: str
    customer: str
    tier: str
    available: int
    pending: int
    held: int
    debt: int
    habits: Habits


class Lot(msgspec.Struct, frozen=True, gc=False):
    """Points of one source with one expiry; `remaining` of `issued` are neither spent, expired nor set aside.

    `open` says whether anything remains; a lot without `expires_at` never expires. Pending points that wait for
    something to happen to their order say what they await; `matures_at` is then when they are given up.
    `reinstated`: what came back after its expiry has lengthened it already.
    """

    account: str
    id: str
    customer: str
    source: str
    state: Literal["pending", "available"]
    issued: int
    remaining: int
    open: bool
    accrued_at: datetime
    matures_at: datetime
    expires_at: datetime | None
    awaits: str = ""
    reinstated: bool = False


class Note(msgspec.Struct, frozen=True, gc=False):
    """Why a transaction was made by hand, and by whom."""

    reason: str
    actor: str


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened to a wallet, never changed; `points` is what the member owns more or less by it.

    `cause` is the order (at `revision`), call, timer or merged customer behind it; `note` says who and why.
    """

    account: str
    id: str
    customer: str
    kind: Kind
    points: int
    cause: str
    occurred_at: datetime
    recorded_at: datetime
    revision: int = 0
    note: Note | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One leg of a transaction: `points` on one side of its customer's wallet, '' as lot where it belongs to none."""

    account: str
    txn: str
    ordinal: int
    side: Side
    lot: str
    points: int


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an order's first rating found, and every later one is made in.

    `percent` is the tier's multiplier, `numerator / denominator` turns the order's minor units into the
    programme's, `room` is what the programme's cap and budget left (None: no limit), `rooms` what the caps of rules
    left, `zone` is that of the store's clock, `why` the reason when it does not earn; `drawn` is what the order has
    drawn on a budget, which refunds do not give back and a dispute that is won does not draw again.
    """

    program: str
    version: int
    accrued_at: datetime
    tier: str = ""
    percent: int = 100
    numerator: int = 1
    denominator: int = 1
    first_order: bool = False
    room: int | None = None
    why: str = ""
    segments: tuple[str, ...] = ()
    rooms: dict[str, int] = {}
    zone: str = "UTC"
    drawn: int = 0


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one rule gave an order: `points` of the `raw` ones it came to, and in one word why not more."""

    rule: str
    points: int
    raw: int
    why: str = ""


class Rating(msgspec.Struct, frozen=True):
    """An order as rated at its newest revision: `points` booked, `written_off` of its clawbacks forgiven.

    `spent` is what was kept of its goods, in minor units of the programme's currency, if it counts at all.
    """

    account: str
    order_id: str
    customer: str
    revision: int
    points: int
    written_off: int
    context: Context | None
    parts: tuple[Part, ...] | None = None
    spent: int = 0


class Award(msgspec.Struct, frozen=True, gc=False):
    """Points for something other than an order: what paid them, by which rule of which version, in transaction `txn`.

    `source` is what it paid for, once: a review, a profile, a year's birthday. `returned` of the points were taken
    back since it counts no longer, of which (now or before) `written_off` were forgiven.
    """

    account: str
    id: str
    customer: str
    rule: str
    version: int
    source: str
    points: int
    txn: str
    awarded_at: datetime
    returned: int = 0
    written_off: int = 0


class Redemption(msgspec.Struct, frozen=True, gc=False):
    """Points that a member spent, by transaction `txn`; undone by `reversed_by` where that is not ''.

    `order_ref` (store/its id) is the order they paid a part of, `worth` in minor units; `returned` came back with its
    refunds.
    """

    account: str
    id: str
    customer: str
    points: int
    txn: str
    reversed_by: str
    created_at: datetime
    order_ref: str = ""
    returned: int = 0
    worth: int | None = None


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Points and vouchers set aside for an open checkout until `until`.

    `txn` is the transaction that set the points aside ('' for vouchers alone), `closed_by` what ended it, if not ''.
    """

    account: str
    id: str
    customer: str
    points: int
    status: Literal["held", "captured", "released"]
    txn: str
    closed_by: str
    until: datetime
    worth: int | None = None
    vouchers: tuple[str, ...] | None = None


class ProgramVersion(msgspec.Struct, frozen=True):
    """One immutable version of an account's programme, in force from `effective_from` until the next."""

    account: str
    program: str
    version: int
    effective_from: datetime
    recorded_at: datetime
    body: bytes


class AuditRow(msgspec.Struct, frozen=True):
    """Who changed what by the API: the key behind a call, what it did to what."""

    account: str
    id: str
    at: datetime
    key: str
    action: str
    subject: str
    customer: str
