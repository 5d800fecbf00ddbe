"""One true process in an empty folder: its keys, its log, and what is left on disk of a customer who was erased."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.reprocessing import FAILED, TAKEN
from tests.ingest.shop import shopify_order
from tests.system.newcomer import Newcomer, noon

ADDRESS = "ana.erasable@example.com"
PERSON = {"id": 77, "email": ADDRESS, "first_name": "Ana", "phone": "+34600000777"}
NEEDLES = (ADDRESS.encode(), b"ana.erasable", b"+34600000777")


class Story:
    """What happened in the one installation that the tests of this module look at."""

    def __init__(self, house: Newcomer) -> None:
        self.house = house
        self.first = self.second = ""
        self.before: set[str] = set()
        self.erased: set[str] = set()
        self.again: set[str] = set()
        self.aged: set[str] = set()

    def plays(self) -> None:
        """Start, live, start again, erase, take in again, and grow old."""
        house = self.house
        house.start("ingest")
        self.first = house.said
        house.keys = dict(re.findall(r"^  (\w[\w ]*?) +(\S+)$", self.first, re.MULTILINE))
        house.keys["server_key"] = house.keys["server key"]
        self._she_lives_here()
        self._moves_to(house.now + timedelta(hours=4))
        self.second = house.said[len(self.first) :]
        self.before = self._searched()
        house.start("ingest")
        house.call("POST", f"/v1/customers/ext:{house.keys['store']}:77/erase", json={}).raise_for_status()
        self._moves_to(noon(3))
        self.erased = self._searched()
        for verdict in (*TAKEN, *FAILED):
            code, said = house.command("reprocess", "--verdict", verdict)
            assert code == 0, said
        self._moves_to(noon(4))
        self.again = self._searched()
        house.bus_ages(timedelta(days=14))
        self._moves_to(noon(5))
        self.aged = self._searched()

    def _moves_to(self, moment: datetime) -> None:
        self.house.moves_to(moment)
        self.house.lives_on()

    def _searched(self) -> set[str]:
        self.house.stop("ingest")
        return self.house.files_that_spell(NEEDLES)

    def _she_lives_here(self) -> None:
        who = {"id": "77", "email": ADDRESS}
        cart = {"cart_id": "c1", "customer": who, "lines": [{"product": "tea", "title": "Tea", "price": 900}]}
        self._native("consent", {"customer": who, "channel": "email", "granted": True})
        self._native("cart", {**cart, "restore_url": f"https://shop.example/cart?for={ADDRESS}"}, id_="one")
        self.house.rests()
        self._native("cart", {**cart, "lines": []}, id_="one")
        bought: dict[str, Any] = {"at": self.house.now, "email": ADDRESS, "customer": PERSON}
        self._shopify(shopify_order(2, **bought, currency="XXZ"))
        self.house.once("GET", f"/p/{ADDRESS}")
        self.house.rests()

    def _native(self, kind: str, data: dict[str, Any], *, id_: str = "") -> None:
        envelope = {"specversion": "1.0", "id": id_ or uuid4().hex, "source": "shop", "type": kind}
        event = {**envelope, "time": self.house.now.isoformat(), "data": data}
        self.house.call("POST", "/v1/events", json=event, refusals={409})

    def _shopify(self, body: dict[str, Any]) -> None:
        raw, keys = json.dumps(body).encode(), self.house.keys
        digest = hmac.new(keys["Shopify secret"].encode(), raw, hashlib.sha256).digest()
        headers = {
            "x-shopify-topic": "orders/create",
            "x-shopify-shop-domain": "shop.myshopify.example",
            "x-shopify-webhook-id": uuid4().hex,
            "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
        }
        self.house.call("POST", keys["Shopify webhook"], content=raw, headers=headers)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, played once; the process is down when it ends."""
    folder: Path = tmp_path_factory.mktemp("newcomer")
    house = Newcomer(folder)
    try:
        told = Story(house)
        told.plays()
        yield told
    finally:
        house.pull_down()


def test_the_first_start_makes_a_store_and_tells_its_keys_once(story: Story) -> None:
    assert story.first.count("A store was made. Its keys are shown this once:") == 1
    wanted = {"account", "store", "server key", "browser key", "Shopify webhook", "Shopify secret", "operator key"}
    assert wanted <= set(story.house.keys)
    assert "querencia: ingest, loyalty, scoring, notifications on http://127.0.0.1:" in story.second
    assert "A store was made" not in story.second
    secret = [value for name, value in story.house.keys.items() if name.endswith(("key", "secret"))]
    assert [value for value in secret if value in story.second] == []


def test_every_line_of_the_log_is_json_with_its_fields(story: Story) -> None:
    lines = story.house.logged
    for line in lines:
        assert {"event", "level", "timestamp", "service"} <= set(line), line
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta()
    told = {(line["event"], line["level"], line["service"]) for line in lines}
    again = "a delivery's id was used again for another body"
    assert {(again, "warning", "ingest"), ("bad_token", "warning", "notifications")} <= told


def test_no_file_spells_an_erased_customer_but_the_bus_and_that_for_14_days(story: Story) -> None:
    assert {"ingest.db", "notifications.db", "bus.db", "maildir"} <= story.before
    assert story.erased == story.again == {"bus.db"}
    assert story.aged == set()
