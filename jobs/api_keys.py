"""API keys: `sk_live_`, 8 characters of id, `_`, 32 of secret, 6 of checksum.

The checksum lets a mistyped or made-up key be refused without a look into the
database. Only an HMAC of the secret is stored: a secret of 190 random bits needs
no slow hash.
"""

import binascii
import hmac
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_letters
_SHAPE: Final = re.compile(
    r"sk_live_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner holds it; `secret` is never stored or logged."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> "ApiKey":
        return cls(_random(8), _random(32))

    def shown(self) -> str:
        return f"sk_live_{self.id}_{self.secret}{_checksum(self.id, self.secret)}"

    def hmac(self, pepper: bytes) -> bytes:
        """What is stored instead of the secret."""
        return hmac.digest(pepper, f"{self.id}:{self.secret}".encode(), "sha256")


def parse_api_key(presented: str) -> ApiKey | None:
    """The key behind a presented text; None when its shape or checksum is wrong."""
    match = _SHAPE.fullmatch(presented)
    if match is None:
        return None
    key = ApiKey(match[1], match[2])
    expected = _checksum(key.id, key.secret)
    return key if hmac.compare_digest(expected, match[3]) else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(key_id: str, secret: str) -> str:
    number = binascii.crc32(f"{key_id}_{secret}".encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
