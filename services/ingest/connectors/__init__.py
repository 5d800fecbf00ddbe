"""Store platforms and other senders of signed or keyed deliveries: one connector each."""

from services.ingest.connectors.base import Connector
from services.ingest.connectors.native import Native
from services.ingest.connectors.shopify import Shopify

CONNECTORS: dict[str, Connector] = {connector.name: connector for connector in (Native(), Shopify())}
