"""The ingest service: its table of contents."""

from collections.abc import Callable
from datetime import datetime

from services.ingest import tables
from services.ingest.accept import Accept
from services.ingest.books import audit
from services.ingest.dialects.segment import TYPES
from services.ingest.documents import documents
from services.ingest.erasure import finish
from services.ingest.hot import Dialect, NativeEvents, Webhook
from services.ingest.intake import UNTAKEN, Intake
from services.ingest.loading import load
from services.ingest.records import CustomerRow
from services.ingest.routes import router
from services.ingest.store_erasure import FORGET, forget_store
from shared.running import Running
from shared.service import Service


def _segment(call: str) -> Callable[[Running], Dialect]:
    return lambda running: Dialect(running, "segment", call)


def _accept(running: Running) -> Accept:
    made: Accept = running.state.setdefault("accept", Accept(running))
    return made


def _nobody(account: str, customer: str, now: datetime) -> CustomerRow:
    return CustomerRow(account, customer, now)


ingest = Service(
    name="ingest",
    metadata=tables.metadata,
    subjects=tables.customer,
    subject_row=_nobody,
    load=load,
    loops={"accept": _accept, "intake": Intake},
    timers={"erasure.finish": finish, FORGET: forget_store},
    router=router,
    audit=audit,
    asgi={
        "/v1/events": NativeEvents,
        "/webhooks/": Webhook,
        **{f"/v1/{call}": _segment(call) for call in (*sorted(TYPES), "batch")},
    },
    prefixes=(
        "/v1/events",
        *(f"/v1/{call}" for call in (*sorted(TYPES), "batch")),
        "/webhooks",
        "/v1/accounts",
        "/v1/stores",
        "/v1/sources",
        "/v1/keys",
        "/v1/customer-tokens",
        "/v1/customers",
        "/v1/orders",
        "/v1/carts",
        "/v1/products",
        "/v1/deliveries",
    ),
    documents=documents,
    owns_setup=True,
    untaken=UNTAKEN,
)
