"""Links that speak for a recipient without a login: signed, and bound to one purpose."""

import msgspec
from itsdangerous import BadData, URLSafeSerializer

ONE_CLICK = "one-click"
PREFERENCES = "preferences"


class Link(msgspec.Struct, frozen=True):
    """Whom a token speaks for, and about which channel and purpose."""

    account: str
    customer: str
    channel: str
    purpose: str


class Tokens:
    """Signs and reads tokens; a token of one use is worth nothing for another."""

    def __init__(self, key: bytes) -> None:
        self._signers = {use: URLSafeSerializer(key, salt=f"notifications.{use}") for use in (ONE_CLICK, PREFERENCES)}

    def sign(self, use: str, link: Link) -> str:
        """A token for `link`, always the same one."""
        return str(self._signers[use].dumps(msgspec.structs.astuple(link)))

    def read(self, use: str, token: str) -> Link | None:
        """What a token says; None if it was altered or made for another use."""
        try:
            return Link(*msgspec.convert(self._signers[use].loads(token), tuple[str, str, str, str]))
        except (BadData, msgspec.ValidationError):
            return None
