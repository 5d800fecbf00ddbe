"""Store platforms whose webhooks we understand: one connector each; and our own native events."""

from services.ingest.connectors.base import Connector
from services.ingest.connectors.native import Native
from services.ingest.connectors.shopify import Shopify
from services.ingest.connectors.woocommerce import WooCommerce

CONNECTORS: dict[str, Connector] = {connector.name: connector for connector in (Shopify(), WooCommerce())}
NATIVE = Native()
