"""Loyalty's HTTP, for front ends under a customer token and for stores' servers."""

from services.loyalty.routes.hooks import router as hooks
from services.loyalty.routes.members import router as members
from services.loyalty.routes.programmes import router as programmes
from services.loyalty.routes.referrals import router as referrals
from services.loyalty.routes.reports import router as reports
from services.loyalty.routes.rewards import router as rewards
from services.loyalty.routes.spending import router as spending
from shared.openapi import Router

router = Router(tags=["loyalty"])
for part in (members, spending, rewards, hooks, referrals, programmes, reports):
    router.include_router(part)
