"""How far a customer's own order values may be trusted, learned from what those who came back paid."""

from itertools import pairwise

import numpy as np

from services.scoring.models.cards import Card, fit_purse
from services.scoring.models.histories import Column
from services.scoring.models.ledger import Spells
from services.scoring.models.spending import GammaGamma, Spend

LEAST_RETURNERS = 200
_BINS, _LEAST_IN_BIN = (1, 2, 4, 8), 50
_ROOM = np.log(8.0)


def fit_worth(spells: Spells, today: int, horizon: int) -> tuple[GammaGamma, Card]:
    """Order values in one currency, trusted as far as the forecasts of `horizon` days ago would best have been."""
    model, card = fit_purse(spells.spend(today)[1])
    doubt = _doubt(spells, today - horizon, today) if horizon else None
    return (model if doubt is None or not card.sound else model.doubting(doubt)), card


def fit_bins(spells: Spells, today: int) -> list[tuple[int, GammaGamma]]:
    """Order values by how often somebody paid, for a shop where regulars spend more or less than others.

    Each with the days of paying from which it holds; none for a bin with too few customers or an unsound fit.
    """
    spend = spells.spend(today)[1]
    found = []
    for least, most in pairwise((*_BINS, np.inf)):
        rows = (spend.orders >= least) & (spend.orders < most)
        if int(rows.sum()) < _LEAST_IN_BIN:
            continue
        model, card = fit_purse(spend.chosen(rows))
        if card.sound:
            found.append((int(least), model))
    return found


def _doubt(spells: Spells, origin: int, today: int) -> float | None:
    """What would have made the values after an origin likeliest; None if too few came back to tell."""
    who, before = spells.spend(origin)
    later = (spells.day > origin) & (spells.day <= today)
    room = int(who.max(initial=-1)) + 1
    days = np.bincount(spells.customer[later], minlength=room)[who].astype(float)
    paid = np.bincount(spells.customer[later], spells.value[later], minlength=room)[who].astype(float)
    back = days > 0
    if int(back.sum()) < LEAST_RETURNERS:
        return None
    model, card = fit_purse(before)
    if not card.sound:
        return None
    known = Spend(before.orders[back], before.mean[back])
    return _likeliest(model, known, days[back], paid[back])


def _likeliest(model: GammaGamma, known: Spend, days: Column, paid: Column) -> float:
    """By the gamma deviance of what was paid from what was expected."""
    from scipy.optimize import minimize_scalar  # as in `fitting`

    def deviance(log_doubt: float) -> float:
        doubt = float(np.exp(log_doubt))
        expected = model.shop_mean + known.orders / (known.orders + doubt) * (known.mean - model.shop_mean)
        return float((days * np.log(expected) + paid / expected).sum())

    middle = float(np.log(model.doubt))
    found = minimize_scalar(deviance, bounds=(middle - _ROOM, middle + _ROOM), method="bounded")
    return float(np.exp(found.x))
