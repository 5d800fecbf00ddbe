"""The summary at the end: what a shop owner wants to know, in her words."""

from collections import Counter
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from demo.report import Report

JOURNEYS = {
    "thank_you": "thank-you",
    "abandoned_cart": "abandoned cart",
    "win_back": "win-back",
    "points_expiring": "points about to expire",
    "tier_upgraded": "a higher tier",
}
REASONS = {
    "no_consent": "did not agree to advertising",
    "purchased": "had bought by then",
    "late_purchase": "bought while the mail went out",
    "frequency_cap": "had enough mail that week",
    "no_address": "no address known",
    "expired": "too late to be useful",
    "suppressed": "asked not to be written to",
    "came_back": "came back by themselves",
    "quiet_hours": "waited for the morning",
    "cooldown": "had the same kind of mail not long ago",
    "outranked": "a more urgent mail was on its way",
    "points_spent": "had spent the points by then",
    "tier_lost": "was not in that tier any more",
}
EXAMPLES = ("vip", "loyal", "at_risk", "lapsed")
MONTHS = 6


def show(console: Console, report: Report, maildir: Path) -> None:
    """Print everything but the books."""
    for part in (
        _trade(report),
        _points(report),
        _rewards(report),
        _member_pages(report),
        _segments(report),
        _examples(report),
        _mails(report),
        _silence(report),
    ):
        console.print(part)
    for mail in _letters(report, maildir):
        console.print(mail)
    console.print(_kpis(report))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def money(cents: int | None, currency: str = "USD") -> str:
    """Minor units of a currency with two digits, for reading."""
    return "" if cents is None else f"{cents / 100:,.2f} {currency}"


def _trade(report: Report) -> Table:
    revenue = sum(month["revenue"].get("USD", 0) for month in report.kpis)
    rows = {
        "customers who bought": f"{len([row for row in report.customers if row['history']['orders']]):,}",
        "orders paid": f"{report.counted('ingest', 'emitted:ingest:order.paid'):,}",
        "refunds": f"{report.counted('ingest', 'emitted:ingest:order.refunded'):,}",
        "net revenue": money(revenue),
        "deliveries taken in": f"{report.counted('ingest', 'deliveries:translated'):,}",
        "facts told by the services": f"{_facts(report):,}",
    }
    return _rows(_table("The shop in 18 months", "", ""), rows)


def _facts(report: Report) -> int:
    counters = [kept["counters"] for kept in report.books.values()]
    return sum(number for kept in counters for name, number in kept.items() if name.startswith("emitted:"))


def _rows(table: Table, rows: dict[str, str]) -> Table:
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _points(report: Report) -> Table:
    members = report.members.values()
    tiers = Counter(member["tier"] for member in members)
    rows = {
        "earned": f"{sum(member['earned'] for member in members):,}",
        "can be spent now": f"{sum(member['available'] for member in members):,}",
        "still maturing": f"{sum(member['pending'] for member in members):,}",
        "times points became spendable": f"{report.counted('loyalty', 'emitted:loyalty:points.activated'):,}",
        "times points expired": f"{report.counted('loyalty', 'emitted:loyalty:points.expired'):,}",
        "owed to members": f"{report.liability['outstanding']:,} ({money(report.liability['worth'])})",
        "revenue put off for that": money(report.liability["deferred_revenue"]),
        **{f"members on {tier['name']}": f"{tiers[tier['name']]:,}" for tier in report.programme["ladder"]["tiers"]},
        "times a tier was reached": f"{report.counted('loyalty', 'emitted:loyalty:tier.upgraded'):,}",
        "times one was about to be lost": f"{report.counted('loyalty', 'emitted:loyalty:tier.downgrade_scheduled'):,}",
        "times one was lost": f"{report.counted('loyalty', 'emitted:loyalty:tier.downgraded'):,}",
    }
    return _rows(
        _table(f"Points and tiers: {report.programme['name']}, version {report.programme['version']}", "", ""), rows
    )


def _rewards(report: Report) -> Table:
    table = _table("Rewards", "for points", "points", "left")
    for row in sorted(report.rewards, key=lambda row: int(row["reward"]["price"])):
        left = "" if row["remaining"] is None else f"{row['remaining']:,}"
        table.add_row(escape(row["reward"]["name"]), f"{row['reward']['price']:,}", left)
    counts = {
        "taken by members": report.counted("loyalty", "emitted:loyalty:reward.claimed"),
        "used at the till": report.counted("loyalty", "emitted:loyalty:reward.used"),
    }
    for name, number in counts.items():
        table.add_row(name, f"{number:,}", "")
    return table


def _member_pages(report: Report) -> Table:
    """The last of what members read on their own pages, each in her language."""
    table = _table("What members see", "member", "points", "to the next tier")
    table.add_column("the latest")
    for customer, page in report.pages.items():
        member = page["member"]
        above = member["next_tier"]
        way = "" if above is None else f"{money(above['missing'])} to {above['name']}"
        told = [f"{line['day']}: {line['words']} {line['points']:+,}" for line in page["history"][:3]]
        table.add_row(escape(report.name(customer)), f"{member['available']:,}", way, escape("; ".join(told)))
    return table


def _segments(report: Report) -> Table:
    table = _table("Where customers stand today", "segment", "customers")
    table.add_column("who that is", style="dim")
    for segment in report.segments:
        table.add_row(segment["name"].replace("_", " "), f"{segment['customers']:,}", segment["description"])
    return table


def _examples(report: Report) -> Table:
    table = _table(
        "Churn risk: chance of no purchase in the next 90 days", "customer", "segment", "orders", "risk", "CLV"
    )
    table.add_column("why")
    for segment in EXAMPLES:
        mine = [row for row in report.customers if row["segment"] == segment and row["scores"]]
        for row in sorted(mine, key=_worth, reverse=True)[:1]:
            scores = row["scores"]
            risk, worth = scores["churn_risk"]["value"], scores["clv"]
            table.add_row(
                escape(report.name(row["customer"])),
                segment.replace("_", " "),
                str(row["history"]["orders"]),
                f"{risk:.0%}",
                money(worth and worth["amount"]),
                _why(scores["reasons"]),
            )
    return table


def _worth(row: dict[str, Any]) -> int:
    clv = row["scores"]["clv"]
    return int(clv["amount"]) if clv else 0


def _why(reasons: Sequence[dict[str, Any]]) -> str:
    """The reasons of a score in words."""
    told = []
    for reason in reasons:
        numbers = reason["numbers"]
        if reason["code"] == "silence":
            usual = numbers["usual_gap"]
            told.append(
                f"silent for {numbers['days']} days" + (f", usually {usual:.0f} between purchases" if usual else "")
            )
        elif reason["code"] == "drop_out_habit":
            told.append(f"bought on {numbers['purchases']} days")
        elif reason["code"] == "own_order_value":
            told.append(f"spends {money(numbers['own_mean'])} a time")
    return "; ".join(told)


def _mails(report: Report) -> Table:
    table = _table("Mails sent", "journey", "en", "es", "pt", "all")
    sent = [message for message in report.messages if message["state"] == "accepted"]
    counted = Counter((message["journey"], report.language(message["customer"])) for message in sent)
    for journey, name in JOURNEYS.items():
        numbers = [counted[journey, language] for language in ("en", "es", "pt")]
        table.add_row(name, *(f"{number:,}" for number in (*numbers, sum(numbers))))
    return table


def _silence(report: Report) -> Table:
    table = _table("Mails not sent, or not at once, and why", "the customer", "times")
    for reason, number in report.decisions.most_common():
        table.add_row(REASONS.get(reason, reason.replace("_", " ")), f"{number:,}")
    return table


def _letters(report: Report, maildir: Path) -> list[Panel]:
    """Two mails as sent: an abandoned cart's in Spanish and a thank-you in Portuguese where there are any."""
    found = []
    for journey, language in (("abandoned_cart", "es"), ("thank_you", "pt")):
        mine = [row for row in report.messages if row["journey"] == journey and row["state"] == "accepted"]
        mine = [row for row in mine if report.language(row["customer"]) == language] or mine
        if mine:
            found.append(_letter(maildir / "new" / f"{mine[0]['id']}.eml"))
    return found


def _letter(path: Path) -> Panel:
    mail = message_from_bytes(path.read_bytes(), EmailMessage, policy=default)
    body = mail.get_body(("plain",))
    text = body.get_content().strip() if body else ""
    lines = [line if len(line) < 100 else f"{line[:97]}…" for line in text.splitlines()]
    return Panel(escape("\n".join(lines)), title=escape(f"{mail['Subject']} → {mail['To']}"), title_align="left")


def _kpis(report: Report) -> Table:
    columns = ("month", "orders", "revenue", "AOV", "new", "retention", "churn", "repeat rate", "lifetime")
    table = _table(f"The company's last {MONTHS} months", *columns)
    for month in report.kpis[-MONTHS:]:
        table.add_row(
            month["month"],
            f"{month['orders']:,}",
            money(month["revenue"].get("USD", 0)),
            money(month["average_order_value"].get("USD")),
            f"{month['new_customers']:,}",
            _percent(month["retention"]),
            _percent(month["churn"]),
            _percent(month["repeat_rate"]),
            "" if month["customer_lifetime_months"] is None else f"{month['customer_lifetime_months']:.1f} months",
        )
    return table


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1f} %"
