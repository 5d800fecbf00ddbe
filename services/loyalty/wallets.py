"""Members as judgement sees them and as the table keeps them."""

from datetime import datetime
from typing import Any

from services.loyalty.records import Habits, Member, MemberRow


def member_of(*columns: Any) -> Member:
    """A member out of the columns of its row."""
    account, customer, tier, available, pending, held, debt, habits = columns
    return Member(
        account,
        customer,
        habits.joined_at,
        habits.program,
        tier,
        available,
        pending,
        held,
        debt,
        habits.earned,
        habits.redeemed,
        habits.moves,
        habits.first_order,
        habits.erased,
        habits.mature_due,
        habits.expire_due,
        habits.notice_due,
        habits.review_due,
        habits.noticed,
        habits.dates_due,
        habits.segments,
        habits.uses,
        habits.birthday,
        habits.birthday_since,
        habits.active_at,
        habits.warn_due,
        habits.passes,
        habits.warned,
    )


def row_of(member: Member) -> MemberRow:
    """The row that keeps a member."""
    habits = Habits(
        member.joined_at,
        member.program,
        member.earned,
        member.redeemed,
        member.moves,
        member.first_order,
        member.erased,
        member.mature_due,
        member.expire_due,
        member.notice_due,
        member.review_due,
        member.noticed,
        member.dates_due,
        member.segments,
        member.uses,
        member.birthday,
        member.birthday_since,
        member.active_at,
        member.warn_due,
        member.passes,
        member.warned,
    )
    return MemberRow(
        member.account,
        member.customer,
        member.tier,
        member.available,
        member.pending,
        member.held,
        member.debt,
        habits,
    )


def empty_row(account: str, customer: str, now: datetime) -> MemberRow:
    """A wallet with nothing in it."""
    return row_of(Member(account, customer, now))
