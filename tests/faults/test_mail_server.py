"""A mail server that stalls, hangs up, puts off and refuses, under load: no mail twice, what is not sure is told."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.days import MOMENTS
from tests.faults.drama import Drama, played
from tests.faults.house import House
from tests.faults.mailbox import Mailbox
from tests.faults.trade import Trade
from tests.faults.undisturbed import undisturbed
from tests.real.smtp import Act, SmtpServer

pytestmark = pytest.mark.faults
STRANGER = "c4"
AFTER_DATA = (Act.DROP, Act.KEEP_AND_DROP, Act.STALL)  # nobody can know what became of these


@pytest.fixture
def house(mode: dict[str, Any], tmp_path: Path, smtp_server: SmtpServer) -> Iterator[House]:
    """An installation that mails by SMTP."""
    made = House(tmp_path, {**mode, "smtp_url": f"smtp://127.0.0.1:{smtp_server.port}"})
    try:
        yield made
    finally:
        made.pull_down()


def test_no_mail_goes_out_twice_and_none_is_lost_without_a_word(
    house: House, tmp_path: Path, smtp_server: SmtpServer
) -> None:
    """421 and 454 are tried later; silence after DATA is unknown; 550 to a recipient ends all mail to that address."""
    smtp_server.strangers.add(f"{STRANGER}@shop.example")
    smtp_server.answers("EHLO", "421 busy", Act.STALL)
    smtp_server.answers("MAIL", "421 busy", "421 busy", Act.DROP, "454 later")
    smtp_server.answers("RCPT", "454 later", Act.DROP, "421 closing", Act.STALL)
    smtp_server.answers("DATA", "451 try again", *AFTER_DATA, "421 closing", "454 later")
    with played(house, Mailbox(tmp_path, smtp_server), Trade(7, customers=24)) as drama:
        drama.trades([])
        for moment in MOMENTS:
            drama.comes_to(moment)
        drama.redeems()
        house.verify()
        assert smtp_server.unused == {}
        everybody_else_got_theirs_once(drama)
        nobody_writes_to_the_stranger_again(drama)


def everybody_else_got_theirs_once(drama: Drama) -> None:
    """What went out, or may have, is what goes out when all works; unknown is what was cut off after DATA only."""
    found = drama.inside.canon()
    expected = undisturbed(drama.trade.seed, drama.trade.customers, tuple(MOMENTS)).messages["accepted"]
    assert found.went_out == Counter({name: times for name, times in expected.items() if not to_the_stranger(name)})
    assert sum(found.messages["unknown"].values()) == len(AFTER_DATA)
    states = {message.id: message.state.value for message in drama.inside.messages()}
    arrived = drama.mailbox.arrived
    assert set(arrived.values()) == {1}
    assert {name for name, state in states.items() if state == "accepted"} <= set(arrived)
    assert Counter(states[name] for name in arrived)["unknown"] == AFTER_DATA.count(Act.KEEP_AND_DROP)


def nobody_writes_to_the_stranger_again(drama: Drama) -> None:
    """One refusal, a suppression of the address, and no further try."""
    refused = drama.inside.canon().messages["refused"]
    assert [to_the_stranger(name) for name in refused.elements()] == [True]
    held = list(drama.house.pages("/v1/suppressions", service="notifications"))
    assert {one["reason"] for one in held} == {"hard_bounce"}
    assert len({one["address"] for one in held}) == 1


def to_the_stranger(name: tuple[str, str, str]) -> bool:
    """Whether a message is for them."""
    return f"customer:{STRANGER}" in name[0].split()
