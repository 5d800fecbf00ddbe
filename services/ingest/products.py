"""Products: what stores say of them, in any order, folds into one; each visible change is a revision."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.ingest.claims import ProductClaim, ProductSaid
from shared.events.ingest import Product

_encode = msgspec.json.Encoder().encode


class ProductState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest word on a product; without `said` it was removed."""

    said: ProductSaid | None = None
    updated: datetime | None = None


def learn(state: ProductState, claim: ProductClaim, *, again: bool = False) -> ProductState:
    """The state after one more claim; an older one changes nothing, of two of one moment a removal counts.

    What a removal leaves behind keeps its last description. With `again` the claim comes of a delivery understood
    before, and replaces what that said then.
    """
    if state.updated is not None and _order(claim.updated, claim.said) <= _order(state.updated, state.said):
        return replace(state, said=claim.said) if again and claim.updated == state.updated else state
    return ProductState(said=claim.said, updated=claim.updated)


def _order(updated: datetime, said: ProductSaid | None) -> tuple[datetime, bool, bytes]:
    return (updated, said is None, _encode(said))


def fold(state: ProductState, before: Product) -> Product:
    """The product as it is known now; `before` gives its ids and, once it is removed, its last description."""
    updated = state.updated or before.updated_at
    if state.said is None:
        return replace(before, removed=True, available=False, updated_at=updated)
    said = state.said
    return Product(
        id=before.id,
        external_id=before.external_id,
        revision=before.revision,
        title=said.title,
        url=said.url,
        image=said.image,
        categories=said.categories,
        currency=said.currency,
        exponent=said.exponent,
        variants=said.variants,
        available=said.available,
        updated_at=updated,
    )


def is_news(before: Product, after: Product) -> bool:
    """Whether anything but the moment of the word has changed."""
    return replace(after, updated_at=before.updated_at) != before
