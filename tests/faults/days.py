"""The moments of a trade at which something falls due, to which business time is moved across restarts."""

from datetime import timedelta

from tests.faults.trade import FIRST_CART, FIRST_HOUR, GROUPS, OPENING

CARTS = [FIRST_CART + timedelta(hours=2, minutes=10 * group + 8) for group in range(GROUPS)]
LAST_TRIES = CARTS[-1] + timedelta(minutes=10)
LOTS = [FIRST_HOUR + timedelta(days=14, hours=group, minutes=58) for group in range(GROUPS)]
ALL_IS_RIPE = OPENING + timedelta(days=14, hours=1)
MOMENTS = [LAST_TRIES, ALL_IS_RIPE]  # where nothing breaks, no others are needed
