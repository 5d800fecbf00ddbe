"""The reasons of a score in words that a shop owner understands, in English, Spanish and Portuguese."""

from decimal import Decimal
from math import exp
from typing import Literal

from babel.numbers import format_currency, format_percent, get_currency_precision

from services.scoring.scores import Reason

Language = Literal["en", "es", "pt"]

_SENTENCES: dict[Language, dict[str, str]] = {
    "en": {
        "silence": "Silent for {days} days; usually {usual_gap} days between purchases.",
        "silence_once": "Silent for {days} days since the only purchase day.",
        "silence_new": "Bought for the first time today.",
        "drop_out_habit": "Bought on {purchases} days; {gone} of customers with such a record stop after a purchase.",
        "experience": "What came of earlier forecasts for this shop moves the risk from {plain} to {corrected}.",
        "caution": "This shop has taught little yet, so the risk is kept at {corrected} rather than {plain}.",
        "own_order_value": "Spends {own_mean} a time, the shop's mean is {shop_mean}; own history counts {weight}.",
        "if_bought_today": "A purchase today would make the risk {risk}.",
    },
    "es": {
        "silence": "Lleva {days} días sin comprar; lo habitual son {usual_gap} días entre compras.",
        "silence_once": "Lleva {days} días sin comprar desde su único día de compra.",
        "silence_new": "Ha comprado hoy por primera vez.",
        "drop_out_habit": "Compró en {purchases} días; con ese historial, {gone} deja de comprar tras una compra.",
        "experience": "Lo aprendido de previsiones anteriores lleva el riesgo de {plain} a {corrected}.",
        "caution": "Aún hay poca experiencia con esta tienda: el riesgo se deja en {corrected} en vez de {plain}.",
        "own_order_value": "Gasta {own_mean} por vez; la media de la tienda es {shop_mean}; lo propio cuenta {weight}.",
        "if_bought_today": "Con una compra hoy, el riesgo sería de {risk}.",
    },
    "pt": {
        "silence": "Há {days} dias sem comprar; o habitual são {usual_gap} dias entre compras.",
        "silence_once": "Há {days} dias sem comprar desde o seu único dia de compra.",
        "silence_new": "Comprou hoje pela primeira vez.",
        "drop_out_habit": "Comprou em {purchases} dias; com esse histórico, {gone} para de comprar após uma compra.",
        "experience": "O aprendido com previsões anteriores da loja leva o risco de {plain} para {corrected}.",
        "caution": "Ainda há pouca experiência com esta loja: o risco fica em {corrected} em vez de {plain}.",
        "own_order_value": "Gasta {own_mean} por vez; a média da loja é {shop_mean}; o seu histórico pesa {weight}.",
        "if_bought_today": "Com uma compra hoje, o risco seria de {risk}.",
    },
}


def reason_in_words(reason: Reason, language: Language, currency: str) -> str:
    """One reason as a sentence; money in minor units of the currency."""
    numbers = reason.numbers
    kind = _kind_of_silence(reason) if reason.code == "silence" else reason.code
    told = {name: str(number) for name, number in numbers.items()}
    if reason.code == "silence" and numbers["usual_gap"] is not None:
        told["usual_gap"] = f"{numbers['usual_gap']:.0f}"
    if reason.code == "drop_out_habit":
        told["gone"] = _percent(1.0 / (1.0 + exp(-(numbers["log_odds"] or 0.0))), language)
    for name in ("plain", "corrected", "weight"):
        if name in numbers:
            told[name] = _percent(numbers[name] or 0.0, language)
    for name in ("own_mean", "shop_mean"):
        if name in numbers:
            told[name] = _money(round(numbers[name] or 0), currency, language)
    return _SENTENCES[language][kind].format(**told)


def if_bought_in_words(risk: float, language: Language) -> str:
    """The counterfactual as a sentence."""
    return _SENTENCES[language]["if_bought_today"].format(risk=_percent(risk, language))


def _kind_of_silence(reason: Reason) -> str:
    if reason.numbers["usual_gap"] is not None:
        return "silence"
    return "silence_once" if reason.numbers["days"] else "silence_new"


def _percent(share: float, language: Language) -> str:
    return format_percent(share, locale=language)


def _money(minor: int, currency: str, language: Language) -> str:
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return format_currency(amount, currency, locale=language)
