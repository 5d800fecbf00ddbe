"""Other versions of the program under the same roof: newer facts, bugs of ours and what mends them, a connector's fix.

A bug is a changed line in a copy of the tree; the fix is the tree as it is.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.inside import Inside
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.posts import Post
from tests.faults.trade import OPENING, Trade, native
from tests.faults.undisturbed import undisturbed
from tests.trees import changed, copied

DISTRIBUTED = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("real")]
MODES = ["embedded", pytest.param("distributed", marks=DISTRIBUTED)]
pytestmark = pytest.mark.parametrize("mode", MODES, indirect=True)
ORDERS, FACTS = "services/loyalty/orders.py", "shared/events/ingest/orders.py"
RATE = "    rate_order(event, desk)\n"
WIRE_NAME = '    type: ClassVar[str] = "order.paid"\n'
VERSION_2 = WIRE_NAME + '    version: ClassVar[int] = 2\n    upcasts = {1: lambda body: body}\n    note: str = "new"\n'
POISON = 6_660
PATIENCE_SECONDS = 30.0


@pytest.fixture
def house(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """An installation that is not built yet."""
    made = House(tmp_path, mode)
    try:
        yield made
    finally:
        made.pull_down()


def version(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """The program with changes (file, old, new), to be run from what is given."""
    tree = copied(folder / f"version-{len(list(folder.iterdir()))}", "services", "shared")
    for change in changes:
        changed(tree, *change)
    return tree


def runs(house: House, tree: Path | None, *services: str) -> None:
    """Have services run another version (None: this one), at once where they run already."""
    heads = sorted({head for service in services for head in house.heads_of(service)})
    for head in heads:
        house.trees.pop(head, None)
        if tree is not None:
            house.trees[head] = tree
    if house.keys:
        house.kill(*heads)
        house.start(*heads)


def opens(house: House) -> None:
    """Build the house at opening time."""
    house.offset = OPENING - house.now
    house.build()


def sold(who: str, number: str, price: int = 900) -> Post:
    """A purchase."""
    lines = [{"product": "tea", "price": price}]
    return native(number, "purchase", OPENING, {"order_id": number, "customer": {"id": who}, "lines": lines})


def member(house: House, who: str) -> dict[str, Any]:
    """What the member API says; nothing is pending of who is not known yet."""
    path = f"/v1/members/ext:{house.keys['store']}:{who}"
    answer = house.call("GET", path, service="loyalty", refusals={404})
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {"pending": 0}
    return found


def pipeline(house: House, service: str) -> dict[str, Any]:
    """What /health/pipeline says of a service."""
    told = house.once("GET", "/health/pipeline", service=service).json()["services"]
    found: dict[str, Any] = next(part for part in told if part["service"] == service)
    return found


def seconds_until(is_so: Any, within: float = PATIENCE_SECONDS) -> float:
    """How long it took to become so; raises AssertionError when it does not."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() < begun + within, "never so"
        time.sleep(0.02)
    return time.monotonic() - begun


def tell(house: House, *posts: Post) -> None:
    """Post one after the other."""
    Load(house, [list(posts)], clients=1).begin().finish()


@pytest.mark.parametrize(("others", "within"), [(4, PATIENCE_SECONDS), pytest.param(40, 2.0, marks=pytest.mark.faults)])
def test_a_poison_fact_holds_up_its_customer_alone(house: House, tmp_path: Path, others: int, within: float) -> None:
    """Others see their points soon; after the fix `redrive` runs what waited, in order."""
    poison = f"    if event.fact.order.total == {POISON}:\n        raise LookupError('a bug')\n"
    runs(house, version(tmp_path, (ORDERS, RATE, poison + RATE)), "loyalty")
    opens(house)
    tell(house, sold("ana", "1"), sold("ana", "2", POISON), sold("ana", "3", 1_000), sold("ana", "4", 1_100))
    for number in range(others):
        tell(house, sold(f"other{number}", f"o{number}"))
        seconds_until(lambda name=f"other{number}": member(house, name)["pending"] == 9, within)
    with closing(Inside(house)) as inside:
        inside.rests()
    parked = pipeline(house, "loyalty")["parked"]
    assert parked >= 3
    assert member(house, "ana")["pending"] == 9
    runs(house, None, "loyalty")
    code, said = house.command("redrive", "loyalty")
    assert (code, json.loads(said.splitlines()[-1])) == (0, {"loyalty": {"ran": parked, "stay": 0}})
    path = f"/v1/members/ext:{house.keys['store']}:ana/transactions"
    earned = [one["points"] for one in house.pages(path, service="loyalty")]
    assert earned in ([9, 66, 10, 11], [11, 10, 66, 9])
    with closing(Inside(house)) as inside:
        inside.rests()
    assert house.verify()["loyalty"]["counters"]["effected:ingest:order.paid"] == 4 + others


@pytest.mark.faults
def test_a_bug_that_fails_everything_stops_the_line(house: House, tmp_path: Path) -> None:
    """Few are parked, the pipeline says why, members are answered; after the fix all comes in."""
    runs(house, version(tmp_path, (ORDERS, RATE, "    raise LookupError('a bug')\n")), "loyalty")
    opens(house)
    tell(house, *(sold(f"c{number}", str(number)) for number in range(60)))
    seconds_until(lambda: "in a row failed" in pipeline(house, "loyalty")["facts_wait_for"])
    kept = house.once("GET", "/books", service="loyalty").json()["loyalty"]
    assert kept["parked"].get("order.paid", 0) < 20
    assert member(house, "c7")["pending"] == 0
    runs(house, None, "loyalty")
    with closing(Inside(house)) as inside:
        inside.rests()
        assert house.command("redrive")[0] == 0
        inside.rests()
    assert [member(house, f"c{number}")["pending"] for number in range(60)] == [9] * 60
    books = house.verify()
    assert books["scoring"]["counters"]["effected:ingest:order.paid"] == 60
    assert [kept["parked"] for kept in books.values()] == [{}] * 4


@pytest.mark.faults
def test_a_fact_of_a_newer_version_waits_for_the_upgrade(house: House, tmp_path: Path) -> None:
    """Ingest tells a version that others do not know; embedded, newer facts are left on the log by a way back."""
    newer = (FACTS, WIRE_NAME, VERSION_2)
    held = (ORDERS, RATE, "    from shared.errors import Unavailable\n    raise Unavailable('held')\n")
    runs(house, version(tmp_path, newer, *([] if house.distributed else [held])), "ingest")
    opens(house)
    tell(house, sold("ana", "1"), sold("bea", "2"))
    if not house.distributed:
        seconds_until(lambda: "held" in pipeline(house, "loyalty")["facts_wait_for"])
        runs(house, None, "ingest")
    why = "order.paid version 2 is newer than 1"
    seconds_until(lambda: why in pipeline(house, "loyalty")["facts_wait_for"])
    assert pipeline(house, "loyalty")["parked"] == 0
    runs(house, version(tmp_path, newer), "ingest", "loyalty", "scoring", "notifications")
    seconds_until(lambda: [member(house, who)["pending"] for who in ("ana", "bea")] == [9, 9])
    assert pipeline(house, "loyalty")["facts_wait_for"] == ""
    with closing(Inside(house)) as inside:
        inside.rests()
    books = house.verify()
    assert books["loyalty"]["counters"]["effected:ingest:order.paid"] == 2
    assert [kept["parked"] for kept in books.values()] == [{}] * 4


@pytest.mark.faults
def test_reprocessing_after_a_connectors_fix_posts_only_the_differences(house: House, tmp_path: Path) -> None:
    """Shopify's prices were read as half of what they are."""
    file, halved = "services/ingest/connectors/shopify_orders.py", "to_minor(order.total_price, exponent)"
    price = "to_minor(item.price, exponent) * item.quantity"
    bug = version(tmp_path, (file, halved, f"{halved} // 2"), (file, price, f"{price} // 2"))
    runs(house, bug, "ingest")
    trade = Trade(21, customers=60)
    with played(house, Mailbox(tmp_path), trade) as drama:
        Load(house, trade.stories).begin().finish()
        drama.inside.rests()
        expected, wrong = undisturbed(21, 60, ()), drama.inside.canon()
        astray = [name for name, order in expected.orders.items() if wrong.orders[name] != order]
        assert astray
        booked, told = drama.inside.booked(), orders_told(drama.inside)
        runs(house, None, "ingest")
        code, _ = house.command("reprocess", "--verdict", "translated", "--kind", "shopify")
        assert code == 0
        drama.inside.rests()
        corrected = orders_told(drama.inside) - told
        assert sorted(name for name, _ in corrected.elements()) == sorted(astray)
        assert {change for _, change in corrected} <= {"corrected", "refunded"}
        found = drama.inside.canon()
        for part in ("orders", "wallets", "scores"):
            assert getattr(found, part) == getattr(expected, part), part
        assert found.messages == wrong.messages
        more = drama.inside.booked() - booked
        assert 0 < sum(more.values()) <= len(astray)
        assert set(more) <= set(astray)
        house.verify()


def orders_told(inside: Inside) -> Counter[tuple[str, str]]:
    """How often ingest has told of an order, by the store's name of it and what changed."""
    facts = [json.loads(one.body) for one in inside.told("ingest") if one.headers["ce_type"].startswith("order.")]
    return Counter((fact["order"]["external_id"], fact["change"]) for fact in facts)
