"""The third order of a friend pays the member who brought it, for as long as enough of that order is kept."""

from services.loyalty.rules.friends_third_order import FriendsThirdOrder
from shared.events.ingest import OrderStatus
from shared.events.loyalty import PointsEarned
from tests.loyalty.friends import Circle, terms
from tests.loyalty.shop import line, order, programme


def bought(shop: Circle, number: int, *, refunded: int = 0, revision: int = 1) -> None:
    status = OrderStatus.PARTLY_REFUNDED if refunded else OrderStatus.PAID
    tea = line(5_000, refunded=refunded)
    shop.buys(order(str(number), tea, paid=shop.now, revision=revision, status=status))


def test_the_third_order_of_a_friend_pays_once_and_its_refund_takes_that_back() -> None:
    third = FriendsThirdOrder(points=70, least=1_000, pending_days=14)
    shop = Circle(programme(rules=(third,), referrals=terms()))
    shop.clicks(shop.code())
    for number in range(1, 5):
        bought(shop, number)
        assert shop.member("ana").pending == (500 if number < 3 else 570)
    assert shop.member("bea").pending == 300
    assert [fact.points for fact in shop.facts(PointsEarned) if fact.rule == "friends_third_order"] == [70]
    bought(shop, 3, refunded=4_000, revision=2)
    assert shop.member("ana").pending == 570
    bought(shop, 3, refunded=4_001, revision=3)
    assert shop.member("ana").pending == 500
    bought(shop, 3, revision=4)
    shop.passes(days=15)
    assert (shop.member("ana").available, shop.member("ana").pending) == (570, 0)
