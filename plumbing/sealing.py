"""Envelope encryption: every owner of bytes has a data key, wrapped by the master key.

AES-256-GCM with a random 96-bit nonce in front of each box. The label is
authenticated with the box, so that a box put in another place does not open.
Destroying a wrapped data key destroys all that it sealed.
"""

import base64
import hmac
import os
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
MARK_BYTES: Final = 4


class BoxBroken(Exception):
    """The box does not open: other key, other label, or changed bytes."""


class KeyMalformed(ValueError):
    """A master key is not 32 bytes in base64."""


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
    """Wraps data keys, and seals the few secrets that have no data key.

    Each box begins with the mark of the key that sealed it, so that boxes of an older
    key are found without opening them. Boxes from before there were marks open too.
    """

    def __init__(self, encoded: str, *previous: str) -> None:
        """Take the key as settings carry it, 32 bytes in base64, and older ones."""
        self._own = DataKey(_decode("PRECIS_MASTER_KEY", encoded))
        older = [
            DataKey(_decode("PRECIS_MASTER_KEY_PREVIOUS", key)) for key in previous
        ]
        self.mark: Final = _mark_of(self._own)
        self._by_mark = {_mark_of(key): key for key in (*older, self._own)}

    def wrap(self, data_key: DataKey, *, label: str) -> bytes:
        return self.seal(data_key._key, label=label)  # noqa: SLF001 - twins

    def unwrap(self, wrapped: bytes, *, label: str) -> DataKey:
        return DataKey(self.open(wrapped, label=label))

    def seal(self, plain: bytes, *, label: str) -> bytes:
        return self.mark + self._own.seal(plain, label=label)

    def open(self, box: bytes, *, label: str) -> bytes:
        key = self._by_mark.get(box[:MARK_BYTES])
        if key is None:
            return self._open_unmarked(box, label=label)
        return key.open(box[MARK_BYTES:], label=label)

    def seal_anew(self, box: bytes, *, label: str) -> bytes:
        """The same contents, sealed by the key of today."""
        return self.seal(self.open(box, label=label), label=label)

    def _open_unmarked(self, box: bytes, *, label: str) -> bytes:
        for key in self._by_mark.values():
            with suppress(BoxBroken):
                return key.open(box, label=label)
        raise BoxBroken(f"no key of ours opens {label.partition(':')[0]}")


def _decode(setting: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise KeyMalformed(f"{setting} is not base64") from error
    if len(key) != _KEY_BYTES:
        raise KeyMalformed(
            f"{setting} must be 32 bytes in base64; make one with "
            "`openssl rand -base64 32`"
        )
    return key


def _mark_of(key: DataKey) -> bytes:
    """Names a key without telling anything of it."""
    mark = hmac.digest(key._key, b"precis master key", "sha256")  # noqa: SLF001 - twins
    return mark[:MARK_BYTES]
