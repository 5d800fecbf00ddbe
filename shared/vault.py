"""The vault: secrets that must be read again (webhook secrets, signing keys) are encrypted with the master key."""

import hashlib
import hmac
import os
from functools import cache

from cryptography.fernet import Fernet, InvalidToken

from shared.errors import Unavailable
from shared.settings import Settings

FILE = "master.key"


class Vault:
    """Seals and opens secrets with one key (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(key.encode())
        self._operator = hmac.new(key.encode(), b"operator", hashlib.sha256).hexdigest()

    def operator_key(self) -> str:
        """The key that makes accounts over HTTP; it follows from the master key."""
        return f"qo_{self._operator}"

    def seal(self, secret: str) -> bytes:
        """The secret encrypted."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret again; raises Unavailable when it was sealed with another master key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise Unavailable("a stored secret was sealed with another master key") from None


def vault_of(settings: Settings) -> Vault:
    """The vault of an installation; without a master key in the settings one is made in the data folder."""
    return _vault(settings.master_key or _made(settings))


@cache
def _vault(key: str) -> Vault:
    return Vault(key)


def _made(settings: Settings) -> str:
    """The key in the data folder, made there (readable by its owner only) when there is none yet."""
    path = settings.data_dir / FILE
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(key := Fernet.generate_key().decode())
    return key
