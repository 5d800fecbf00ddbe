"""The shop's shelf: made-up records, each at the price that the real purchase implies."""

import random

import msgspec

ARTISTS = (
    "The Paper Lanterns", "Mara Quiroga", "Low Tide Choir", "Os Vagalumes", "Northbound Local", "Julia Ferro",
    "Silver Almanac", "Trío Malecón", "The Glass Arcade", "Casa de Vento", "Delta Static", "Ruth & the Harbour",
)  # fmt: skip
TITLES = (
    "First Light", "Ciudad Abierta", "Slow Maps", "Maré Alta", "Kitchen Radio", "Seven Bridges", "La Vuelta",
    "Night Ferry", "Saudade Club", "Paper Moonshine", "Second Home", "Querencia",
)  # fmt: skip
GENRES = ("Rock", "Pop", "Jazz", "Classical", "Latin", "Folk")
SHELF = len(ARTISTS) * len(TITLES)


class Disc(msgspec.Struct, frozen=True):
    """One record on the shelf."""

    number: int
    title: str
    genre: str


class Pieces(msgspec.Struct, frozen=True):
    """So many of one disc at one price in US cents."""

    disc: Disc
    quantity: int
    cents: int


def disc(number: int) -> Disc:
    """The record at a place of the shelf."""
    artist, title = divmod(number % SHELF, len(TITLES))
    return Disc(1000 + number % SHELF, f"{ARTISTS[artist]}: {TITLES[title]}", GENRES[artist % len(GENRES)])


def basket(pieces: int, cents: int, dice: random.Random) -> list[Pieces]:
    """Discs that number `pieces` and cost exactly `cents`: the last one takes what the even price leaves over."""
    each = cents // pieces
    last = Pieces(disc(dice.randrange(SHELF)), 1, cents - each * (pieces - 1))
    if pieces == 1:
        return [last]
    return [Pieces(disc(dice.randrange(SHELF)), pieces - 1, each), last]
