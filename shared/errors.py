"""What can go wrong, told apart by what must happen next."""

from collections.abc import Sequence


class Refused(Exception):
    """Never will succeed as asked: a 4xx answer with a stable code, or a quarantined delivery."""

    def __init__(self, code: str, message: str, *, status: int = 422, pointer: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.pointer = pointer


class TooMany(Refused):
    """More than somebody may ask at once: a 429 with Retry-After in whole seconds."""

    def __init__(self, code: str, message: str, *, retry_after: int) -> None:
        super().__init__(code, message, status=429)
        self.retry_after = retry_after


class InProgress(Refused):
    """The same call is being worked on already: a 409 with Retry-After in whole seconds."""

    def __init__(self) -> None:
        super().__init__("in_progress", "the same key is being worked on", status=409)
        self.retry_after = 1


class Unavailable(Exception):
    """Cannot be done now, may be later: a 503 with Retry-After, or a partition that waits and tries again."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StopTheLine(Unavailable):
    """Too many different keys failed in a row: the bug is ours, so nothing more is parked until it is mended."""


class NotYet(Unavailable):
    """One piece of work has to wait for something else that is on its way: only its partition waits."""


class NewerVersion(NotYet):
    """A fact was written by newer code than this: its partition waits for the upgrade."""


def not_found(what: str, name: str) -> Refused:
    """A 404 for a thing that the caller cannot see or that does not exist."""
    return Refused("not_found", f"no {what} {name!r}", status=404)


class Invalid(Refused):
    """A body whose shape is wrong: 400 with one pointer for each fault."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        pointer, message = faults[0] if faults else ("", "malformed")
        super().__init__("malformed", message, status=400, pointer=pointer)
        self.faults = tuple(faults)
