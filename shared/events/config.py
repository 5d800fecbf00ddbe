"""Facts about the set-up: accounts, stores, keys and signing keys; one compacted topic that never expires."""

from typing import ClassVar, Literal

from shared.events.base import Fact, fact

TOPIC = "ingest.config"


class ConfigFact(Fact, frozen=True, kw_only=True):
    """The newest state of one thing of the set-up; a higher `revision` wins."""

    topic: ClassVar[str] = TOPIC
    archived: ClassVar[bool] = False
    id: str
    revision: int
    deleted: bool = False

    @property
    def aggregate(self) -> str:
        """The thing at its revision."""
        return f"{self.id}:{self.revision}"


@fact
class AccountConfigured(ConfigFact, frozen=True, kw_only=True):
    """An account was made or changed."""

    type: ClassVar[str] = "account.configured"
    name: str


@fact
class StoreConfigured(ConfigFact, frozen=True, kw_only=True):
    """A store was made or changed; `zone` is an IANA name, `url` the shop's address."""

    type: ClassVar[str] = "store.configured"
    name: str
    currency: str
    exponent: int = 2
    zone: str
    locale: str
    url: str = ""
    email: str = ""
    postal_address: str = ""


@fact
class KeyConfigured(ConfigFact, frozen=True, kw_only=True):
    """An API key was made or revoked (`deleted`); only its SHA-256 travels."""

    type: ClassVar[str] = "key.configured"
    kind: Literal["server", "browser"]
    digest: str
    store: str = ""
    origins: tuple[str, ...] = ()


@fact
class SigningKeyConfigured(ConfigFact, frozen=True, kw_only=True):
    """The public half (PEM) of the key that signs an account's customer tokens."""

    type: ClassVar[str] = "signing_key.configured"
    public_key: str
