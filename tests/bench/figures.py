"""Figures: each a ratio to a limit measured in the same run, written as JSON and as a page."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

DOCS = Path(__file__).parents[2] / "docs"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure; `ratio` is value / limit, `floor` what it must reach (or stay under).

    Where nothing was measured to hold it against, limit and ratio are None.
    """

    figure: str
    mode: str
    value: float
    unit: str
    limit: float | None
    ratio: float | None
    floor: float | None = None
    lower_is_better: bool = False

    @property
    def holds(self) -> bool:
        """Whether the ratio keeps its floor."""
        if self.floor is None or self.ratio is None:
            return True
        return self.ratio <= self.floor if self.lower_is_better else self.ratio >= self.floor


def figure(
    name: str,
    mode: str,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    *,
    floor: float | None = None,
    lower_is_better: bool = False,
) -> Figure:
    """The median over rounds of (value, limit) measured one after the other."""
    return Figure(
        figure=name,
        mode=mode,
        unit=unit,
        value=round(statistics.median(value for value, _ in rounds), 2),
        limit=round(statistics.median(limit for _, limit in rounds), 2),
        ratio=round(statistics.median(value / limit for value, limit in rounds), 3),
        floor=floor,
        lower_is_better=lower_is_better,
    )


def reported(name: str, mode: str, unit: str, value: float, *, lower_is_better: bool = True) -> Figure:
    """A figure that has no limit: reported as it is."""
    shown = round(value, 2)
    return Figure(
        figure=name, mode=mode, unit=unit, value=shown, limit=None, ratio=None, lower_is_better=lower_is_better
    )


def replaced(figures: Sequence[Figure]) -> list[Figure]:
    """What is written down so far, with these rows in place of those of the same name and mode."""
    page = DOCS / "performance.json"
    rows = msgspec.json.decode(page.read_bytes(), type=list[Figure]) if page.exists() else []
    return list({(each.figure, each.mode): each for each in (*rows, *figures)}.values())


def write(figures: Sequence[Figure], machine: str) -> None:
    """Write docs/performance.json and docs/performance.md."""
    DOCS.mkdir(exist_ok=True)
    (DOCS / "performance.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    lines = [
        "# Performance",
        "",
        "Made by `make bench`. Each ratio is taken against a limit measured in the same run on the same machine;",
        f"medians of alternating rounds. Machine: {machine}.",
        "`python -m tests.bench <part>` renews the rows of one part.",
        "",
        "A figure without a limit has nothing to be held against: it is reported as it is. The floors of",
        "the batch gain (PostgreSQL 15, SQLite 4) stand well under the first measured ceiling (22 to 37, 12 to 17): a",
        "batch saves its commit and its round trips, and falls below them only where work for each batch has become",
        "work for each fact.",
        "",
        "| figure | mode | value | unit | limit | ratio | floor |",
        "|---|---|--:|---|--:|--:|--:|",
    ]
    lines += [_line(each) for each in figures]
    (DOCS / "performance.md").write_text("\n".join(lines) + "\n")


def _line(each: Figure) -> str:
    sign = "≤" if each.lower_is_better else "≥"
    floor = "" if each.floor is None else f"{sign} {each.floor:g}{'' if each.holds else ' (missed)'}"
    limit = "" if each.limit is None else f"{each.limit:,g}"
    ratio = "" if each.ratio is None else f"{each.ratio:g}"
    return f"| {each.figure} | {each.mode} | {each.value:,g} | {each.unit} | {limit} | {ratio} | {floor} |"
