"""Envelope encryption: every owner of bytes has a data key, wrapped by the master key.

AES-256-GCM with a random 96-bit nonce in front of each box. The label is
authenticated with the box, so that a box put in another place does not open.
Destroying a wrapped data key destroys all that it sealed.
"""

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class BoxBroken(Exception):
    """The box does not open: other key, other label, or changed bytes."""


class KeyMalformed(ValueError):
    """The master key is not 32 bytes in base64."""


class DataKey:
    """Seals what belongs to one owner."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)

    @classmethod
    def generate(cls) -> "DataKey":
        return cls(os.urandom(_KEY_BYTES))

    def seal(self, plain: bytes, *, label: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, label.encode())

    def open(self, box: bytes, *, label: str) -> bytes:
        try:
            return self._cipher.decrypt(
                box[:_NONCE_BYTES], box[_NONCE_BYTES:], label.encode()
            )
        except (InvalidTag, ValueError) as error:  # ValueError: too short for a box
            raise BoxBroken(f"cannot open {label.partition(':')[0]}") from error


class MasterKey:
    """Wraps data keys, and seals the few secrets that have no data key."""

    def __init__(self, encoded: str) -> None:
        """Take the key as settings carry it: 32 bytes in base64."""
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise KeyMalformed("PRECIS_MASTER_KEY is not base64") from error
        if len(key) != _KEY_BYTES:
            raise KeyMalformed(
                "PRECIS_MASTER_KEY must be 32 bytes in base64; make one with "
                "`openssl rand -base64 32`"
            )
        self._own = DataKey(key)

    def wrap(self, data_key: DataKey, *, label: str) -> bytes:
        return self._own.seal(data_key._key, label=label)  # noqa: SLF001 - twins

    def unwrap(self, wrapped: bytes, *, label: str) -> DataKey:
        return DataKey(self._own.open(wrapped, label=label))

    def seal(self, plain: bytes, *, label: str) -> bytes:
        return self._own.seal(plain, label=label)

    def open(self, box: bytes, *, label: str) -> bytes:
        return self._own.open(box, label=label)
