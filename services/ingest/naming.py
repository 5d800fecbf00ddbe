"""Ids of ours that follow from a store's own: the same order or cart gets the same id, whoever tells of it first."""

from functools import lru_cache

from shared.events.base import NAMESPACE
from shared.uids import uid_within


@lru_cache(maxsize=4096)
def order_id(account: str, store: str, external_id: str) -> str:
    """Our id of a store's order."""
    return f"ord_{uid_within(NAMESPACE, f'order|{account}|{store}|{external_id}').hex}"


def product_id(account: str, store: str, external_id: str) -> str:
    """Our id of a store's product."""
    return f"prd_{uid_within(NAMESPACE, f'product|{account}|{store}|{external_id}').hex}"


def cart_id(account: str, store: str, token: str, generation: int) -> str:
    """Our id of the cart that goes by a store's token for the nth time (from 0)."""
    return f"crt_{uid_within(NAMESPACE, f'cart|{account}|{store}|{token}|{generation}').hex}"
