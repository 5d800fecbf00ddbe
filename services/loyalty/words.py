"""A member's history in words, in English, Spanish and Portuguese."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from services.loyalty import rules

Language = Literal["en", "es", "pt"]
LANGUAGES: tuple[Language, ...] = ("en", "es", "pt")

_MONTHS: dict[Language, str] = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
KINDS: dict[str, dict[Language, str]] = {
    "earn": {"en": "Points for an order", "es": "Puntos por un pedido", "pt": "Pontos por uma compra"},
    "award": {"en": "Extra points", "es": "Puntos extra", "pt": "Pontos extra"},
    "clawback": {
        "en": "Taken back after a refund",
        "es": "Descontados por una devolución",
        "pt": "Descontados por uma devolução",
    },
    "mature": {"en": "Ready to be spent", "es": "Listos para usar", "pt": "Prontos para usar"},
    "expire": {"en": "Expired", "es": "Caducados", "pt": "Expirados"},
    "redeem": {"en": "Spent", "es": "Canjeados", "pt": "Resgatados"},
    "hold": {"en": "Set aside for a purchase", "es": "Reservados para una compra", "pt": "Reservados para uma compra"},
    "capture": {"en": "Spent on a purchase", "es": "Canjeados en una compra", "pt": "Resgatados em uma compra"},
    "release": {"en": "No longer set aside", "es": "Reserva anulada", "pt": "Reserva cancelada"},
    "reverse": {"en": "Given back", "es": "Devueltos", "pt": "Devolvidos"},
    "adjust": {"en": "Correction by the shop", "es": "Ajuste de la tienda", "pt": "Ajuste da loja"},
    "merge": {"en": "Accounts joined", "es": "Cuentas unidas", "pt": "Contas unidas"},
    "transfer": {"en": "Between members", "es": "Entre socios", "pt": "Entre membros"},
    "import": {"en": "Brought along from before", "es": "Saldo anterior", "pt": "Saldo anterior"},
}
_FRIENDS: dict[str, Mapping[str, str]] = {
    "referral": {
        "en": "Points for bringing a friend",
        "es": "Puntos por traer a un amigo",
        "pt": "Pontos por indicar um amigo",
    },
    "referral_welcome": {
        "en": "Welcome from your friend",
        "es": "Bienvenida de parte de tu amigo",
        "pt": "Boas-vindas do seu amigo",
    },
    "referral_milestone": {
        "en": "Points for all the friends you have brought",
        "es": "Puntos por todos los amigos que has traído",
        "pt": "Pontos por todos os amigos que você indicou",
    },
}
RULES: dict[str, Mapping[str, str]] = {
    **{str(rule.__struct_config__.tag): rule.words for rule in rules.RULES if rule.words},
    **_FRIENDS,
}
REFERRAL_NOTED: dict[Language, str] = {
    "en": "Thank you! If the code is valid, your points will appear once the order can no longer be returned.",
    "es": "¡Gracias! Si el código es válido, verás tus puntos cuando el pedido ya no se pueda devolver.",
    "pt": "Obrigado! Se o código for válido, seus pontos aparecem quando o pedido não puder mais ser devolvido.",
}


def language_of(*wanted: str) -> Language:
    """The first of some languages (es-MX,es;q=0.9 too) that we speak; English when there is none."""
    for written in wanted:
        for one in written.split(","):
            spoken = one.split(";")[0].strip().lower()[:2]
            found = next((language for language in LANGUAGES if language == spoken), None)
            if found is not None:
                return found
    return "en"


def told(kind: str, rule: str, texts: Mapping[str, str], language: Language) -> str:
    """What happened to points, in words: the shop's own for a rule, else ours, else those of the kind."""
    own = texts.get(language)
    if own:
        return own
    found = RULES.get(rule.partition(":")[0])
    return KINDS[kind][language] if found is None else found[language]


def day_in_words(moment: datetime, zone: str, language: Language) -> str:
    """The local day of a moment: 2 March 2026, 2 de marzo de 2026, 2 de março de 2026."""
    local = moment.astimezone(ZoneInfo(zone))
    month = _MONTHS[language].split()[local.month - 1]
    return f"{local.day} {month} {local.year}" if language == "en" else f"{local.day} de {month} de {local.year}"
