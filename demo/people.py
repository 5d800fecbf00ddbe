"""Who the shop's customers are: the history knows only numbers; names, languages and homes are made up from a seed."""

import random

import msgspec

FIRST = {
    "en": ("Alice", "Ben", "Chloe", "Daniel", "Emma", "Frank", "Grace", "Henry", "Isla", "Jack", "Kate", "Liam"),
    "es": (
        "Ana",
        "Bruno",
        "Carmen",
        "Diego",
        "Elena",
        "Fernando",
        "Inés",
        "Javier",
        "Lucía",
        "Mateo",
        "Nuria",
        "Pablo",
    ),
    "pt": ("Adriana", "Bernardo", "Catarina", "Duarte", "Fernanda", "Gonçalo", "João", "Leonor", "Marta", "Rui"),
}
LAST = {
    "en": ("Adams", "Baker", "Clark", "Davis", "Evans", "Foster", "Green", "Hughes", "Jones", "Miller", "Parker"),
    "es": ("Álvarez", "Castro", "Díaz", "Flores", "García", "Herrera", "Ibáñez", "López", "Muñoz", "Ortega", "Ruiz"),
    "pt": ("Almeida", "Barbosa", "Carvalho", "Esteves", "Ferreira", "Lopes", "Moreira", "Pinto", "Silva", "Teixeira"),
}
HOMES = {
    "en": (("US", "America/New_York"), ("US", "America/Chicago"), ("GB", "Europe/London")),
    "es": (("MX", "America/Mexico_City"), ("ES", "Europe/Madrid"), ("AR", "America/Argentina/Buenos_Aires")),
    "pt": (("BR", "America/Sao_Paulo"), ("PT", "Europe/Lisbon")),
}
SHARES = {"en": 55, "es": 30, "pt": 15}
SUBSCRIBED_PERCENT = 80


class Person(msgspec.Struct, frozen=True):
    """One customer of the shop; `id` is the shop's own number."""

    id: int
    first_name: str
    last_name: str
    language: str
    country: str
    zone: str
    subscribed: bool

    @property
    def email(self) -> str:
        """An address that no mail server can ever reach (RFC 2606)."""
        return f"customer{self.id}@example.com"

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


def person(number: int, seed: int) -> Person:
    """The person behind a customer number, the same one for the same seed."""
    dice = random.Random(f"{seed}:person:{number}")
    (language,) = dice.choices(list(SHARES), list(SHARES.values()))
    country, zone = dice.choice(HOMES[language])
    return Person(
        id=number,
        first_name=dice.choice(FIRST[language]),
        last_name=dice.choice(LAST[language]),
        language=language,
        country=country,
        zone=zone,
        subscribed=dice.randrange(100) < SUBSCRIBED_PERCENT,
    )
