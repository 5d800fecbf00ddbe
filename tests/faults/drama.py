"""A trade lived through while processes die, and the proof that nothing was lost, doubled or sent twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event

from tests.faults.canon import Canon
from tests.faults.days import LOTS, MOMENTS
from tests.faults.forgetting import traces
from tests.faults.house import PATIENCE_SECONDS, House
from tests.faults.inside import Inside
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.trade import OPENING, Trade
from tests.faults.undisturbed import undisturbed

SHARE = 2
FEED_SECONDS = 3.0
AT_WORK_SECONDS = 1.5
CLOCKS_OF_CARTS = ("ingest", "notifications")


@contextmanager
def played(house: House, mailbox: Mailbox, trade: Trade) -> Iterator["Drama"]:
    """A house built at opening time, for one trade."""
    house.offset = OPENING - house.now
    house.build()
    inside = Inside(house)
    try:
        yield Drama(house, inside, mailbox, trade)
    finally:
        inside.close()


class Drama:
    """One trade in one house."""

    def __init__(self, house: House, inside: Inside, mailbox: Mailbox, trade: Trade) -> None:
        self.house = house
        self.inside = inside
        self.mailbox = mailbox
        self.trade = trade
        self._arrived: Counter[str] = Counter()

    def _by_head(self, points: Sequence[str]) -> dict[str, list[str]]:
        """Points by the process that dies there."""
        found: dict[str, list[str]] = {}
        for point in points:
            found.setdefault(self.house.heads_of(point.partition(".")[0])[0], []).append(point)
        return found

    def trades(self, points: Sequence[str]) -> None:
        """Post all stories while the processes die at these points, each of them one after the other."""
        left = self._by_head(points)
        self.house.kill(*left)
        load = Load(self.house, self.trade.stories).begin(SHARE)
        self._burn(left, load)
        load.finish()
        self.inside.rests()

    def _burn(self, left: dict[str, list[str]], load: Load | None = None, *, share: int = SHARE) -> None:
        """Light one fuse after the other in each process, until all have burnt; new stories keep coming meanwhile."""
        burning = {head: points.pop(0) for head, points in left.items()}
        for head, point in burning.items():
            self.house.launch(head, point)
        fed = until = time.monotonic()
        while burning:
            burnt = [head for head in burning if self.house.burnt(head)]
            for head in burnt:
                del burning[head]
                if left[head]:
                    burning[head] = left[head].pop(0)
                self.house.launch(head, burning.get(head, ""))
                until = time.monotonic()
            if load is not None and (burnt or time.monotonic() > fed + FEED_SECONDS):
                fed = time.monotonic()
                load.release(share)
            assert time.monotonic() < until + PATIENCE_SECONDS, f"never passed: {burning}"
            time.sleep(0.02)

    def comes_to(self, moment: datetime, points: Sequence[str] = (), *, sent: bool = True) -> None:
        """Have it be a moment, with the processes dying at these points of what falls due; then wait for rest."""
        heads = self.house.heads
        if moment < LOTS[0] and self.house.distributed:  # nothing of the other services falls due so early
            heads = [head for service in CLOCKS_OF_CARTS for head in self.house.heads_of(service)]
        left = self._by_head(points)
        self.house.moves_to(moment, *heads)
        self.house.start(*(head for head in heads if head not in left))
        self._burn(left)
        self.inside.rests(sent=sent)

    def comes_to_and_dies(self, moment: datetime, dice: random.Random) -> None:
        """Have it be a moment, kill any process while it does what falls due, then wait for rest."""
        self.house.moves_to(moment)
        self.house.start(*self.house.heads)
        Event().wait(dice.random() * AT_WORK_SECONDS)
        self.dies(dice)
        self.inside.rests()

    def redeems(self, points: Sequence[str] = ()) -> None:
        """Spend points by the API while loyalty dies at these points."""
        left = self._by_head(points)
        self.house.kill(*left)
        people = self.inside.people()
        load = Load(self.house, self.trade.redemptions, people=people, refusals={409}).begin(SHARE)
        self._burn(left, load)
        load.finish()

    def decides(self, points: Sequence[str] = ()) -> None:
        """Merge, split and erase customers by the API while processes die at these points."""
        left = self._by_head(points)
        self._keeps_in_mind()
        self.house.kill(*left)
        load = Load(self.house, self.trade.decisions, people=self.inside.people()).begin(1)
        self._burn(left, load, share=1)
        load.finish()

    def decides_and_dies(self, dice: random.Random, kills: int) -> None:
        """Merge, split and erase customers by the API while any process is killed so many times."""
        self._keeps_in_mind()
        load = Load(self.house, self.trade.decisions, people=self.inside.people())
        self._dies_under(dice, kills, load, len(self.trade.decisions))

    def _keeps_in_mind(self) -> None:
        """Which mails arrived so far, and that those can be found whose letters an erasure is to take along."""
        self.inside.rests()
        self._arrived = self.mailbox.arrived
        for address in self.trade.forgotten:
            assert traces(self.house.settings, [address]), address

    def trades_and_dies(self, dice: random.Random, kills: int) -> None:
        """Post all stories while any process is killed so many times."""
        self._dies_under(dice, kills, Load(self.house, self.trade.stories), self.trade.posts)
        self.inside.rests()

    def redeems_and_dies(self, dice: random.Random, kills: int) -> None:
        """Spend points by the API while any process is killed so many times."""
        people = self.inside.people()
        load = Load(self.house, self.trade.redemptions, people=people, refusals={409})
        self._dies_under(dice, kills, load, len(self.trade.redemptions))

    def _dies_under(self, dice: random.Random, kills: int, load: Load, posts: int) -> None:
        load.begin()
        for at in sorted(dice.randrange(1, posts) for _ in range(kills)):
            load.reach(at)
            self.dies(dice)
        load.finish()

    def dies(self, dice: random.Random) -> None:
        """Kill any process, and have it come back."""
        head = dice.choice(self.house.heads)
        self.house.kill(head)
        self.house.start(head)

    def ends_well(self, moments: Sequence[datetime] = MOMENTS) -> None:
        """The books balance; all is as in a world where nothing broke up to the last of the moments; no mail twice."""
        self.inside.rests()
        books = self.house.verify()
        self._is_not_hollow(books)
        expected = undisturbed(self.trade.seed, self.trade.customers, tuple(moments), self.trade.households)
        found = self.inside.canon()
        for part in ("orders", "ledger", "wallets", "sides", "scores"):
            assert getattr(found, part) == getattr(expected, part), part
        self._mails_are_sent_once(found, expected)
        assert traces(self.house.settings, self.trade.forgotten) == []

    def _is_not_hollow(self, books: dict[str, dict[str, dict[str, int]]]) -> None:
        told = {(post.kind, post.name) for story in self.trade.stories for post in story}
        shop, points = books["ingest"]["counters"], books["loyalty"]["counters"]
        assert shop["deliveries:accepted"] >= len(told)
        assert shop["published:ingest:order.paid"] == len(self.trade.sales)
        assert points["effected:ingest:order.paid"] == len(self.trade.sales)
        earned = dict.fromkeys(self.trade.points(), 0)
        for (owner, kind, _cause), number in self.inside.canon().ledger.items():
            names = (word.removeprefix("customer:") for word in owner.split() if word.startswith("customer:"))
            name = next(names, "")  # who was erased has none
            if name in earned and kind in {"earn", "clawback"}:
                earned[name] += number
        assert earned == self.trade.points()

    def _mails_are_sent_once(self, found: Canon, expected: Canon) -> None:
        assert expected.messages["accepted"], "no mail to lose"
        assert set(found.messages) <= set(expected.messages) | {"unknown"}, found.messages
        sent = expected.messages["accepted"]
        assert found.went_out == sent, (found.went_out - sent, sent - found.went_out, found.messages)
        unknown = sum(found.went_out.values()) - sum(found.messages["accepted"].values())
        assert unknown <= self.house.kills * self.mailbox.most_unknown
        states = {message.id: message.state.value for message in self.inside.messages()}
        arrived = self.mailbox.arrived | self._arrived
        assert set(arrived.values()) == {1}, [name for name, number in arrived.items() if number > 1]
        accepted = {name for name, state in states.items() if state == "accepted"}
        assert accepted <= set(arrived)
        assert {states[name] for name in arrived} <= {"accepted", "unknown"}
