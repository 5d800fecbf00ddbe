"""Reasons that a shop owner can read, in three languages."""

from typing import get_args

import msgspec
import pytest

from services.scoring.models.forecast import Correction
from services.scoring.scores import Served, score
from services.scoring.words import Language, if_bought_in_words, reason_in_words
from tests.scoring.some import SERVED, TODAY, habit_of

LEARNED = msgspec.structs.replace(SERVED, corrections=(Correction(90, 90, -0.3, *(0.0,) * 6),), units={"EUR": 4000.0})


CAREFUL = msgspec.structs.replace(
    LEARNED, corrections=(Correction(90, 0, -0.3, *(0.0,) * 6),), plain=(0.243, 30.9, 0.793, 2.426)
)


def told(language: Language, *days: int, served: Served = LEARNED) -> list[str]:
    scores = score(habit_of(*days), served, TODAY)
    assert scores is not None
    return [reason_in_words(one, language, scores.currency) for one in scores.reasons]


def test_in_english() -> None:
    silence, habit, experience, worth = told("en", -134, -116, -98, -80, -62)
    assert silence == "Silent for 62 days; usually 18 days between purchases."
    assert habit == "Bought on 5 days; 14% of customers with such a record stop after a purchase."
    assert experience.startswith("What came of earlier forecasts for this shop moves the risk from ")
    assert told("en", -20, served=CAREFUL)[2].startswith("This shop has taught little yet, so the risk is kept at ")
    assert worth.startswith("Spends €35.00 a time, the shop's mean is €35.22; own history counts ")


@pytest.mark.parametrize("language", get_args(Language))
def test_every_reason_has_its_sentence_in_every_language(language: Language) -> None:
    for days in ((-60, -30, 0), (-20,), (0,)):
        for sentence in (
            *told(language, *days),
            *told(language, *days, served=CAREFUL),
            if_bought_in_words(0.214, language),
        ):
            assert sentence.endswith(".")
            assert not {"{", "}", "None"} & set(sentence.split())
    assert told("es", -20)[0] == "Lleva 20 días sin comprar desde su único día de compra."
    assert told("pt", 0)[0] == "Comprou hoje pela primeira vez."
