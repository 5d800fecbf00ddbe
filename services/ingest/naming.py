"""Ids of ours that follow from a store's own: the same order or cart gets the same id, whoever tells of it first."""

from uuid import uuid5

from shared.events.base import NAMESPACE


def order_id(account: str, store: str, external_id: str) -> str:
    """Our id of a store's order."""
    return f"ord_{uuid5(NAMESPACE, f'order|{account}|{store}|{external_id}').hex}"


def product_id(account: str, store: str, external_id: str) -> str:
    """Our id of a store's product."""
    return f"prd_{uuid5(NAMESPACE, f'product|{account}|{store}|{external_id}').hex}"


def cart_id(account: str, store: str, token: str, generation: int) -> str:
    """Our id of the cart that goes by a store's token for the nth time (from 0)."""
    return f"crt_{uuid5(NAMESPACE, f'cart|{account}|{store}|{token}|{generation}').hex}"
