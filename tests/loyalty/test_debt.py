"""What is taken back after it was spent: debt, write-offs, pending points first."""

import pytest

from shared.errors import Refused
from tests.loyalty.shop import Shop, line, order, programme


def spent_80_of_100(policy: str) -> Shop:
    shop = Shop(programme(pending_days=0, debt=policy))
    shop.tell(order("1", line(10_000)))
    shop.redeem(80)
    return shop


def test_points_that_were_spent_become_debt_which_the_next_earns_pay_first() -> None:
    shop = spent_80_of_100("allow_negative")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().debt) == (-30, 30)
    with pytest.raises(Refused, match="0 available"):
        shop.redeem(1)
    shop.tell(order("2", line(5_000)))
    assert (shop.member().available, shop.member().debt) == (20, 0)
    assert [lot.remaining for lot in shop.lots()] == [20]


def test_maturing_points_pay_debt_first() -> None:
    shop = spent_80_of_100("allow_negative")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    shop.desk.versions["acc_1"] = Shop(programme(pending_days=14)).desk.versions["acc_1"]
    shop.tell(order("2", line(5_000)))
    assert (shop.member().available, shop.member().pending) == (-30, 50)
    shop.passes(days=14)
    assert (shop.member().available, shop.member().pending) == (20, 0)


def test_clamp_writes_off_what_is_gone_and_gives_it_back_only_once() -> None:
    shop = spent_80_of_100("clamp")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().debt) == (0, 0)
    assert shop.desk.ratings["acc_1", "ord_1"].written_off == 30
    shop.tell(order("1", line(10_000), revision=3))
    assert shop.member().available == 20
    assert shop.desk.ratings["acc_1", "ord_1"].written_off == 0


def test_pending_first_takes_pending_points_before_debt() -> None:
    shop = spent_80_of_100("pending_first")
    shop.desk.versions["acc_1"] = Shop(programme(debt="pending_first")).desk.versions["acc_1"]
    shop.tell(order("2", line(10_000)))
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().pending) == (0, 70)
