"""What clients send: events, webhooks, SDK batches, redemptions, decisions about customers; the same at each try."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["native", "shopify", "segment", "redeem", "decide"]


class Post(msgspec.Struct, frozen=True):
    """One thing to tell; `name` tells it from others: a repeat under the same name is a repeat.

    `topic` is a webhook's, or whom a redemption or decision is about.
    """

    kind: Kind
    name: str
    body: Any
    topic: str = ""


class Request(msgspec.Struct, frozen=True):
    """A post as HTTP, always `POST`."""

    service: str
    path: str
    headers: dict[str, str]
    content: bytes


def request_of(post: Post, keys: Mapping[str, str], people: Mapping[str, str]) -> Request:
    """A post as one store sends it; `people` gives our customer ids by the store's own."""
    return _WAYS[post.kind](post, keys, people)


def _native(post: Post, keys: Mapping[str, str], _people: Mapping[str, str]) -> Request:
    return Request("ingest", "/v1/events", _bearer(keys), json.dumps(post.body).encode())


def _shopify(post: Post, keys: Mapping[str, str], _people: Mapping[str, str]) -> Request:
    raw = json.dumps(post.body).encode()
    digest = hmac.new(keys["shopify_secret"].encode(), raw, hashlib.sha256).digest()
    headers = {
        "x-shopify-topic": post.topic,
        "x-shopify-shop-domain": "tea.myshopify.example",
        "x-shopify-webhook-id": post.name,
        "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
    }
    return Request("ingest", f"/webhooks/shopify/{keys['shopify_source']}", headers, raw)


def _segment(post: Post, keys: Mapping[str, str], _people: Mapping[str, str]) -> Request:
    batch = [{"messageId": f"{post.name}-{at}", **message} for at, message in enumerate(post.body)]
    return Request("ingest", "/v1/batch", _bearer(keys), json.dumps({"batch": batch}).encode())


def _redeem(post: Post, keys: Mapping[str, str], people: Mapping[str, str]) -> Request:
    body = {"customer": people[post.topic], "points": post.body}
    headers = {**_bearer(keys), "idempotency-key": post.name, "content-type": "application/json"}
    return Request("loyalty", "/v1/redemptions", headers, json.dumps(body).encode())


def _decide(post: Post, keys: Mapping[str, str], people: Mapping[str, str]) -> Request:
    verb, field, other = post.body
    headers = {**_bearer(keys), "idempotency-key": post.name, "content-type": "application/json"}
    content = json.dumps({field: people[other]} if field else {}).encode()
    return Request("ingest", f"/v1/customers/{people[post.topic]}/{verb}", headers, content)


def _bearer(keys: Mapping[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {keys['server_key']}"}


_WAYS = {"native": _native, "shopify": _shopify, "segment": _segment, "redeem": _redeem, "decide": _decide}
