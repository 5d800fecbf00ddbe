"""Shopify's products as claims."""

from services.ingest.claims import ProductClaim, ProductSaid, Said
from services.ingest.connectors import shopify_payloads as payloads
from services.ingest.connectors.base import named
from services.ingest.moments import maybe
from services.ingest.money import exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import Variant


def product_claim(said: Said, product: payloads.Product) -> ProductClaim:
    """The claim of a product webhook, which carries the whole product, or only the id of one that was deleted."""
    name = named(product.id).rpartition("gid://shopify/Product/")[2]
    if not name:
        raise Refused("missing_id", "the product has no id", pointer="/id")
    updated = maybe(product.updated_at) or maybe(said.meta.get("triggered-at")) or said.recorded
    gone = said.meta["topic"] == "products/delete"
    return ProductClaim(at=updated, external_id=name, updated=updated, said=None if gone else _said(said, product))


def _said(said: Said, product: payloads.Product) -> ProductSaid:
    """The description; webhooks price products in the shop's own currency."""
    exponent = exponent_of(said.currency)
    variants = tuple(_variant(variant, exponent) for variant in product.variants)
    shop = said.meta.get("shop-domain", "")
    listed = product.status in {None, "active"} and product.published_at is not None
    return ProductSaid(
        title=product.title or "",
        url=f"https://{shop}/products/{product.handle}" if shop and product.handle else "",
        image=(product.image and product.image.src) or "",
        categories=(product.product_type,) if product.product_type else (),
        currency=said.currency,
        exponent=exponent,
        variants=variants,
        available=listed and (not variants or any(variant.available for variant in variants)),
    )


def _variant(variant: payloads.ProductVariant, exponent: int) -> Variant:
    sold_anyway = variant.inventory_management is None or variant.inventory_policy == "continue"
    return Variant(
        id=named(variant.id),
        sku=variant.sku or "",
        title=variant.title or "",
        price=to_minor(variant.price, exponent),
        available=sold_anyway or (variant.inventory_quantity or 0) > 0,
    )
