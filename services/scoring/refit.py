"""One refit of an account, as a pure function of what its customers bought: model, corrections, cut-points, cards."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import Card, Status, fit_rhythm
from services.scoring.models.histories import Histories
from services.scoring.models.ledger import Ledger
from services.scoring.models.lessons import Lesson, School
from services.scoring.models.worth import fit_bins, fit_worth
from services.scoring.scores import FAR, HORIZONS, Cuts, Served

_QUINTILES = (0.2, 0.4, 0.6, 0.8)
_VIP = 0.95
_LEAST_FOR_VIPS = 20
_HALF_A_YEAR = 180
LEAST_FOR_BG = 200
"""Customers below which BG/NBD's own fit is no yardstick: there MBG/NBD at BG/NBD's level errs less in the mean."""


class Known(msgspec.Struct, frozen=True):
    """The local day (ordinal) at each customer, and all purchases that count as columns, customers numbered from 0."""

    today: list[int]
    customer: list[int]
    day: list[int]
    value: list[int]
    currency: list[str]


class Refit(msgspec.Struct, frozen=True):
    """The model after a refit, and the cards of all that was fitted."""

    served: Served
    status: str
    cards: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What is known, made ready for fitting; `today` is the latest local day."""

    ledger: Ledger
    today: int
    occasions: NDArray[np.int64]
    span: NDArray[np.int64]
    age: NDArray[np.int64]

    @classmethod
    def of(cls, known: Known) -> "Shop":
        """From the columns as they are read."""
        customer, day, value = np.array([known.customer, known.day, known.value], dtype=np.int64)
        ledger = Ledger.of(customer, day, value, np.array(known.currency, dtype=str))
        who, first, occasions = np.unique(ledger.customer, return_index=True, return_counts=True)
        span = ledger.day[first + occasions - 1] - ledger.day[first]
        today = np.array(known.today, dtype=np.int64)[who]
        return cls(ledger, int(today.max(initial=0)), occasions, span, np.maximum(today - ledger.day[first], span))


def refit(known: Known, before: Served) -> Refit:
    """Fit everything anew; an unsound part keeps its last good parameters and makes the whole degraded."""
    shop = Shop.of(known)
    histories = Histories.of_days(shop.occasions - 1, shop.span, shop.age)
    mbg, bg = fit_rhythm(MBG, histories), fit_rhythm(BG, histories)
    lessons = _lessons(shop, mbg, bg)
    purses, worths = _purses(shop, before)
    status = _status(mbg[1], worths)
    corrections = tuple(lesson.correction for lesson in lessons)
    served = Served(
        version=before.version + 1,
        rhythm=rhythm_in_force(*mbg, before),
        status=status.value,
        purses=purses,
        cuts=_cuts(shop),
        corrections=corrections if mbg[1].sound else before.corrections,
        units=_units(shop) if mbg[1].sound else before.units,
        bins=_bins(shop, worths),
        plain=_plain(shop, bg) if mbg[1].sound else before.plain,
    )
    cards = {fitted.name: _of(fitted, card) for fitted, card in (mbg, bg)}
    cards |= {f"gamma_gamma:{currency}": _of(None, card) for currency, card in worths.items()}
    cards |= {f"correction:{one.correction.horizon}": msgspec.to_builtins(one) for one in lessons}
    return Refit(served, status.value, cards)


def _lessons(shop: Shop, mbg: tuple[BuyingModel, Card], bg: tuple[BuyingModel, Card]) -> list[Lesson]:
    """For each horizon, once there is a fit to correct."""
    if mbg[1].status is not Status.FITTED or not bg[1].sound:
        return []
    school = School(shop.ledger, {shop.today: (mbg[0], bg[0])})
    return [school.lesson(shop.today, horizon) for horizon in (*HORIZONS, FAR)]


def _plain(shop: Shop, bg: tuple[BuyingModel, Card]) -> tuple[float, ...]:
    """BG/NBD's parameters where its fit may be leaned on."""
    fitted, card = bg
    trusted = card.status is Status.FITTED and len(shop.occasions) >= LEAST_FOR_BG
    return (fitted.r, fitted.alpha, fitted.a, fitted.b) if trusted else ()


def rhythm_in_force(fitted: BuyingModel, card: Card, before: Served) -> tuple[float, ...]:
    """The new parameters if their fit is sound, else the last good ones."""
    return (fitted.r, fitted.alpha, fitted.a, fitted.b) if card.sound else before.rhythm


def kept(before: Served) -> Served:
    """The last good model, after a refit that did not even come to an end."""
    return msgspec.structs.replace(before, version=before.version + 1, status=Status.DEGRADED.value)


def _status(card: Card, worths: dict[str, Card]) -> Status:
    if not card.sound or not all(one.sound for one in worths.values()):
        return Status.DEGRADED
    return card.status


def _purses(shop: Shop, before: Served) -> tuple[dict[str, tuple[float, float, float]], dict[str, Card]]:
    purses, cards = dict(before.purses), dict[str, Card]()
    for currency, spells in shop.ledger.spells.items():
        matured = min(_HALF_A_YEAR, (shop.today - shop.ledger.first_day) // 2)
        fitted, cards[currency] = fit_worth(spells, shop.today, matured)
        if cards[currency].sound:
            purses[currency] = (fitted.p, fitted.q, fitted.v)
    return purses, cards


def _bins(shop: Shop, cards: dict[str, Card]) -> dict[str, tuple[tuple[int, float, float, float], ...]]:
    """Of the currencies whose card warns that order value goes with frequency."""
    warned = {currency: shop.ledger.spells[currency] for currency, card in cards.items() if card.warnings}
    fitted = {currency: fit_bins(spells, shop.today) for currency, spells in warned.items()}
    return {
        currency: tuple((least, one.p, one.q, one.v) for least, one in some)
        for currency, some in fitted.items()
        if some
    }


def _units(shop: Shop) -> dict[str, float]:
    return {currency: spells.unit for currency, spells in shop.ledger.spells.items()}


def _cuts(shop: Shop) -> Cuts:
    """Cut-points that hold until the next refit, so that nobody changes segment because others did."""
    if not len(shop.occasions):
        return Cuts()
    paid = {currency: spells.spend(shop.today)[1] for currency, spells in shop.ledger.spells.items()}
    spend = {currency: one.orders * one.mean for currency, one in paid.items() if len(one.orders)}
    return Cuts(
        recency=_quintiles(shop.age - shop.span),
        frequency=_quintiles(shop.occasions),
        spend={currency: _quintiles(total) for currency, total in spend.items()},
        vip={
            currency: round(float(np.quantile(total, _VIP)))
            for currency, total in spend.items()
            if len(total) >= _LEAST_FOR_VIPS
        },
    )


def _quintiles(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(cut) for cut in np.quantile(values, _QUINTILES))


def _of(fit: Any, card: Card) -> dict[str, Any]:
    parameters = {} if fit is None else {name: getattr(fit, name) for name in ("r", "alpha", "a", "b")}
    return {**parameters, **msgspec.to_builtins(card)}
