"""One refit of an account, as a pure function of what is known of its customers: model, cut-points, cards."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.scoring.models.buying import BuyingModel
from services.scoring.models.cards import MODELS, Card, Status, fit_purse, fit_rhythm
from services.scoring.models.histories import Histories
from services.scoring.models.spending import Spend
from services.scoring.scores import Cuts, Served

_QUINTILES = (0.2, 0.4, 0.6, 0.8)
_VIP = 0.95
_LEAST_FOR_VIPS = 20


class Known(msgspec.Struct, frozen=True):
    """Customers who bought, as columns (ages in days), and by currency on how many days who paid how much."""

    occasions: list[int]
    span: list[int]
    age: list[int]
    paid_days: dict[str, list[int]]
    paid: dict[str, list[int]]


class Refit(msgspec.Struct, frozen=True):
    """The model after a refit, and the cards of all that was fitted."""

    served: Served
    status: str
    cards: dict[str, Any]


def refit(known: Known, before: Served) -> Refit:
    """Fit everything anew; an unsound part keeps its last good parameters and makes the whole degraded."""
    occasions, span, age = (np.array(column, dtype=np.int64) for column in (known.occasions, known.span, known.age))
    histories = Histories.of_days(occasions - 1, span, age)
    fitted = {model: fit_rhythm(model, histories) for model in MODELS}
    champion = MODELS[0]
    model, card = fitted[champion]
    purses, worths = _purses(known, before)
    status = _status(card, worths)
    rhythm = rhythm_in_force(model, card, before)
    served = Served(
        before.version + 1, champion.name, rhythm, status.value, purses, _cuts(known, occasions, age - span)
    )
    cards = {kind.name: _of(fit, one) for kind, (fit, one) in fitted.items()}
    cards |= {f"gamma_gamma:{currency}": _of(None, one) for currency, one in worths.items()}
    return Refit(served, status.value, cards)


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


def _purses(known: Known, before: Served) -> tuple[dict[str, tuple[float, float, float]], dict[str, Card]]:
    purses, cards = dict(before.purses), dict[str, Card]()
    for currency, days in known.paid_days.items():
        orders = np.array(days, dtype=float)
        fitted, cards[currency] = fit_purse(Spend(orders, np.array(known.paid[currency], dtype=float) / orders))
        if cards[currency].sound:
            purses[currency] = (fitted.p, fitted.q, fitted.v)
    return purses, cards


def _cuts(known: Known, occasions: NDArray[np.int64], silent: NDArray[np.int64]) -> Cuts:
    """Cut-points that hold until the next refit, so that nobody changes segment because others did."""
    if not len(occasions):
        return Cuts()
    spend = {currency: np.array(paid, dtype=float) for currency, paid in known.paid.items()}
    return Cuts(
        recency=_quintiles(silent),
        frequency=_quintiles(occasions),
        spend={currency: _quintiles(paid) for currency, paid in spend.items()},
        vip={
            currency: int(np.quantile(paid, _VIP)) for currency, paid in spend.items() if len(paid) >= _LEAST_FOR_VIPS
        },
    )


def _quintiles(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(cut) for cut in np.quantile(values, _QUINTILES))


def _of(fit: Any, card: Card) -> dict[str, Any]:
    parameters = {} if fit is None else {name: getattr(fit, name) for name in ("r", "alpha", "a", "b")}
    return {**parameters, **msgspec.to_builtins(card)}
