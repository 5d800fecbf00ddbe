"""A programme of ten rules, all of which look at every order of the bench."""

from datetime import timedelta

from services.loyalty.programmes import default_programme
from services.loyalty.rules import Cap, LineFilter
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.multiplier import Multiplier
from services.loyalty.rules.spend import Spend
from services.loyalty.rules.window import WEEKDAYS, Window
from services.loyalty.tables import program
from services.loyalty.versions import version_row
from tests.bench.facts import ACCOUNT
from tests.world import World

SHOES, HATS = (LineFilter(categories=frozenset({kind})) for kind in ("shoes", "hats"))
ALWAYS = Window(weekdays=frozenset(WEEKDAYS))
RULES = (
    Spend(name="spend"),
    Spend(name="shoes", per=500, lines=SHOES),
    Spend(name="hats by line", per=700, lines=HATS, rounding="line"),
    Spend(name="dear things", per=5_000, window=ALWAYS),
    Spend(name="capped", per=300, cap=Cap(points=10_000, per="month")),
    Multiplier(name="double shoes", percent=200, lines=SHOES, group="double", priority=2),
    Multiplier(name="more for hats", percent=150, lines=HATS, group="double", priority=1),
    Multiplier(name="every day", percent=110, window=ALWAYS),
    Multiplier(name="bronze", percent=105, tiers=frozenset({"bronze"})),
    FirstOrder(name="welcome", award=50),
)


async def with_ten_rules(world: World) -> None:
    """Put the programme in force before the first order comes."""
    async with world.of("loyalty").db.write() as tx:
        start = tx.now - timedelta(days=1)
        plain = default_programme(ACCOUNT, currency="EUR", exponent=2, zone="Europe/Madrid", start=start)
        ten = type(plain)(id=plain.id, currency="EUR", zone=plain.zone, start=start, rules=RULES)
        await tx.insert_many(program, [version_row(ACCOUNT, ten, start, tx.now)])
