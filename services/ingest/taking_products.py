"""Products taken in: the next revision of a product, and the fact that tells it."""

from msgspec.structs import replace

from services.ingest import products
from services.ingest.claims import ProductClaim, Trust
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.naming import product_id
from services.ingest.records import ProductRow
from shared.events.ingest import Product, ProductUpdated


def take_product(claim: ProductClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Bring a product to its next revision; a removal of one that nobody ever described tells nothing."""
    row = _row(claim, desk, store)
    state = products.learn(row.state, claim, again=desk.again)
    if state == row.state:
        return Outcome("translated")
    after = replace(row, state=state)
    product = products.fold(state, row.product)
    if state.said is not None or row.revision:
        after = _told(after, product, desk)
    desk.products[row.account, row.id] = after
    return Outcome("translated")


def _row(claim: ProductClaim, desk: IngestDesk, store: str) -> ProductRow:
    account = desk.work.account
    name = product_id(account, store, claim.external_id)
    unknown = Product(id=name, external_id=claim.external_id, revision=0, updated_at=claim.updated)
    return desk.products.get((account, name)) or ProductRow(
        account, name, store, claim.external_id, 0, desk.recorded, unknown, products.ProductState()
    )


def _told(row: ProductRow, product: Product, desk: IngestDesk) -> ProductRow:
    if not products.is_news(row.product, product):
        return replace(row, product=product)
    product = replace(product, revision=row.revision + 1)
    desk.emit(ProductUpdated(product=product), customer="", store=row.store, time=product.updated_at)
    return replace(row, revision=product.revision, product=product)
