"""Drafts: rows that a judgement changes all together or not at all."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_GONE: Any = object()
_MISSING: Any = object()


class Keyed(Generic[K, V]):
    """Rows by key; what a judgement puts in stays a draft until it has returned."""

    __slots__ = ("_deletes", "_loaded", "changed", "draft")

    def __init__(self) -> None:
        self._deletes = False
        self._loaded: dict[K, V] = {}
        self.draft: dict[K, V] = {}
        self.changed: dict[K, V | None] = {}

    def loaded(self, key: K, value: V) -> None:
        """Take in a row as it stands in the database."""
        self._loaded[key] = value

    def get(self, key: K) -> V | None:
        """The row as the judgements so far have left it, or None."""
        value = self.draft.get(key, _MISSING) if self.draft else _MISSING
        if value is _MISSING:
            return self._loaded.get(key)
        return None if value is _GONE else value

    def __getitem__(self, key: K) -> V:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: K, value: V) -> None:
        self.draft[key] = value

    def __delitem__(self, key: K) -> None:
        self.draft[key] = _GONE
        self._deletes = True

    @property
    def empty(self) -> bool:
        """Whether no row was ever taken in or put in."""
        return not (self._loaded or self.draft)

    def values(self) -> Iterator[V]:
        """Every row there is now."""
        for key in {**self._loaded, **self.draft}:
            value = self.get(key)
            if value is not None:
                yield value

    def keep(self) -> None:
        """Make the draft the state."""
        self._loaded.update(self.draft)
        self.changed.update(self.draft)
        if self._deletes:
            self._keep_deleted()
        self.draft = {}

    def _keep_deleted(self) -> None:
        for key, value in self.draft.items():
            if value is _GONE:
                del self._loaded[key]
                self.changed[key] = None
        self._deletes = False

    def discard(self) -> None:
        """Throw the draft away."""
        self.draft = {}
        self._deletes = False

    @property
    def stored(self) -> list[V]:
        """Rows to write."""
        return [value for value in self.changed.values() if value is not None]

    @property
    def removed(self) -> list[K]:
        """Keys to delete."""
        return [key for key, value in self.changed.items() if value is None]


class Added(Generic[V]):
    """Rows that are only ever added; what a judgement adds stays a draft until it has returned."""

    __slots__ = ("draft", "rows")

    def __init__(self) -> None:
        self.rows: list[V] = []
        self.draft: list[V] = []

    def append(self, row: V) -> None:
        """Add one row."""
        self.draft.append(row)

    def keep(self) -> None:
        """Make the draft part of what is written."""
        self.rows += self.draft
        self.draft = []

    def discard(self) -> None:
        """Throw the draft away."""
        self.draft = []
