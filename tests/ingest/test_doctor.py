"""The signature doctor names what was done to a body or its secret, and accepts nothing for it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from time import process_time

import pytest
from sqlalchemy import func, select

from services.ingest.connectors.doctor import diagnose
from services.ingest.tables import delivery
from tests.ingest.shop import Shop
from tests.world import World

BODY = json.dumps({"id": 1, "path": "a/b", "name": "Núñez"}, ensure_ascii=False).encode()
COMPACT = json.dumps({"id": 1, "path": "a/b", "name": "Núñez"}, ensure_ascii=False, separators=(",", ":")).encode()


def signature(body: bytes, key: bytes = b"se&cret") -> str:
    """As Shopify writes it."""
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("signed", "came", "says"),
    [
        (BODY, BODY + b"\n", "without white space"),
        (BODY + b"\n", BODY, "line feed"),
        (BODY, b"\xef\xbb\xbf" + BODY, "byte order mark"),
        (COMPACT, BODY, "re-serialised"),
        (BODY, COMPACT, "re-serialised"),
        (COMPACT.replace(b"/", b"\\/"), COMPACT, "re-serialised"),
        (json.dumps(json.loads(BODY), separators=(",", ":")).encode(), COMPACT, "re-serialised"),
        (json.dumps(json.loads(BODY)).encode(), BODY, "re-serialised"),
    ],
)
def test_an_altered_body_is_recognised(signed: bytes, came: bytes, says: str) -> None:
    found = diagnose(came, signature(signed), {"sec_0": "other", "sec_1": "se&cret"})
    assert says in found
    assert "sec_1" in found


@pytest.mark.parametrize(
    ("given", "secret", "says"),
    [
        (lambda: hmac.new(b"s", BODY, hashlib.sha256).hexdigest(), "s", "written in hex"),
        (lambda: signature(BODY, b"s"), " s\n", "surrounding spaces"),
        (lambda: signature(BODY, b"a&b"), "a&amp;b", "HTML entities"),
        (lambda: signature(BODY, base64.b64encode(b"s")), "s", "encoded in base64"),
        (lambda: signature(BODY, b"12345678"), base64.b64encode(b"12345678").decode(), "decoded from base64"),
        (lambda: "", "s", "missing"),
        (lambda: "!!", "s", "no SHA-256 digest"),
        (lambda: signature(b"another body", b"s"), "s", "nor anything like it"),
        (lambda: signature(BODY, b"s"), "t", "nor anything like it"),
    ],
)
def test_a_wrong_secret_or_encoding_is_recognised(given: Callable[[], str], secret: str, says: str) -> None:
    assert says in diagnose(BODY, given(), {"sec_1": secret})


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([["é" * 10] * 2_000], ensure_ascii=False).encode(),
        b"[" * 240 + b",".join([b"0"] * 20_000) + b"]" * 240,
    ],
    ids=["nothing but accents", "deep"],
)
def test_a_body_that_is_dear_to_write_again_costs_little_more_than_a_plain_one(body: bytes) -> None:
    def seconds(raw: bytes) -> float:
        begun = process_time()
        diagnose(raw, signature(raw, b"another"), {"sec_1": "s", "sec_2": "t", "sec_3": "u"})
        return process_time() - begun

    plain = json.dumps({"text": "x" * (len(body) - 20)}).encode()
    assert min(seconds(body) for _ in range(5)) < 3 * min(seconds(plain) for _ in range(5))


@pytest.mark.parametrize(
    ("given", "secret"),
    [(lambda: signature(BODY, b""), "no base64!"), (lambda: signature(BODY, b""), "====")],
)
def test_an_empty_secret_is_not_taken_for_one_decoded(given: Callable[[], str], secret: str) -> None:
    assert "nor anything like it" in diagnose(BODY, given(), {"sec_1": secret})


async def test_the_answer_says_so_and_nothing_is_stored(world: World, shop: Shop) -> None:
    raw = json.dumps({"id": 1}).encode()
    headers = {
        "x-shopify-topic": "orders/create",
        "x-shopify-hmac-sha256": signature(raw, shop.made.shopify_secret.encode()),
    }
    path = f"/webhooks/shopify/{shop.made.shopify_source}"
    answer = await world.post(path, content=raw.replace(b" ", b""), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert "re-serialised" in answer.json()["message"]
    assert shop.made.shopify_secret not in answer.text
    assert await world.rows("ingest", select(func.count()).select_from(delivery)) == [(0,)]
