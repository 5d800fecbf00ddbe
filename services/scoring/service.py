"""Scoring's table of contents."""

from services.scoring import tables
from services.scoring.books import audit
from services.scoring.desk import REFIT, REFOLD, RESCAN, REVIEW, load, new_member
from services.scoring.exchange import REVALUE
from services.scoring.handlers import (
    ask_for_refit,
    forget_customer,
    merge_customers,
    refold_customer,
    rescan_store,
    revalue_orders,
    review_customer,
    take_order,
)
from services.scoring.rebuilding import refold
from services.scoring.refits import Refits
from services.scoring.routes import router
from shared.events.ingest import ORDER_FACTS, CustomerErased, CustomerMerged, CustomerNamed
from shared.naming import keep_name
from shared.service import Service

scoring = Service(
    name="scoring",
    metadata=tables.metadata,
    subjects=tables.member,
    subject_row=new_member,
    load=load,
    reactions={
        **dict.fromkeys(ORDER_FACTS, take_order),
        CustomerNamed: keep_name,
        CustomerMerged: merge_customers,
        CustomerErased: forget_customer,
    },
    timers={
        RESCAN: rescan_store,
        REVIEW: review_customer,
        REFOLD: refold_customer,
        REFIT: ask_for_refit,
        REVALUE: revalue_orders,
    },
    audit=audit,
    loops={"refits": Refits},
    refold=refold,
    router=router,
    prefixes=("/v1/scores", "/v1/segments", "/v1/kpis", "/v1/models", "/v1/exchange-rates", "/v1/reporting-currency"),
)
