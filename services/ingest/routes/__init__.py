"""Ingest's HTTP apart from the hot routes: the set-up, customers, and what was made of deliveries."""

from services.ingest.routes.customers import router as customers
from services.ingest.routes.deliveries import router as deliveries
from services.ingest.routes.made import router as made
from services.ingest.routes.products import router as products
from services.ingest.routes.setting_up import router as setting_up
from shared.openapi import Router

router = Router()
for part in (setting_up, customers, made, products, deliveries):
    router.include_router(part)
