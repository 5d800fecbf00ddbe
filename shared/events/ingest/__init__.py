"""Facts of ingest: orders, carts, products, customers and their consent, as the stores tell them."""

from shared.events.ingest.behaviour import (
    BehaviourRecorded,
    ProductViewed,
)
from shared.events.ingest.carts import (
    Cart,
    CartEmptied,
    CartEnded,
    CartFact,
    CartLine,
    CartUpdated,
)
from shared.events.ingest.customers import (
    ConsentChanged,
    CustomerErased,
    CustomerMerged,
    CustomerSplit,
    ProfileUpdated,
)
from shared.events.ingest.orders import (
    ORDER_FACTS,
    Line,
    Money,
    Order,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderDisputeWon,
    OrderFact,
    OrderFulfilled,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderStatus,
    OrderUpdated,
    Tender,
)
from shared.events.ingest.topic import TOPIC

__all__ = [
    "ORDER_FACTS",
    "TOPIC",
    "BehaviourRecorded",
    "Cart",
    "CartEmptied",
    "CartEnded",
    "CartFact",
    "CartLine",
    "CartUpdated",
    "ConsentChanged",
    "CustomerErased",
    "CustomerMerged",
    "CustomerSplit",
    "Line",
    "Money",
    "Order",
    "OrderCancelled",
    "OrderDelivered",
    "OrderDisputeWon",
    "OrderDisputed",
    "OrderFact",
    "OrderFulfilled",
    "OrderPaid",
    "OrderPlaced",
    "OrderRefunded",
    "OrderStatus",
    "OrderUpdated",
    "ProductViewed",
    "ProfileUpdated",
    "Tender",
]
