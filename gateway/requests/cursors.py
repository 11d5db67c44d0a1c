"""Cursors: where a list goes on, signed so that only we can have made them.

Pure. A cursor holds the last id shown and the time it was issued; its signature
also covers the tenant, the list and the filters, so that it cannot be carried to
another tenant, another list or another question. What a list shows is left to it.
"""

import base64
import binascii
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

_BODY: Final = struct.Struct(">16sI")
_SIGNATURE_BYTES: Final = 16
_KEPT: Final = timedelta(hours=24)


class CursorInvalid(Exception):
    """Forged, too old, or made for another tenant, list or filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListScope:
    """Which list a cursor goes on with; another scope is another signature."""

    name: str
    tenant_id: UUID
    filters: Mapping[str, Any]

    def signed(self) -> bytes:
        named = [self.name, self.tenant_id.hex, self.filters]
        return json.dumps(named, sort_keys=True).encode()


class CursorSigner:
    """Issues and reads cursors under a key of their own, derived from the pepper."""

    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"precis list cursors", "sha256")

    def issue(self, last_id: UUID, scope: ListScope, *, now: datetime) -> str:
        body = _BODY.pack(last_id.bytes, int(now.timestamp()))
        signed = body + self._signature(body, scope)
        return base64.urlsafe_b64encode(signed).decode()

    def read(self, shown: str, scope: ListScope, *, now: datetime) -> UUID:
        """The id after which the list goes on, or `CursorInvalid`."""
        signed = _decode(shown)
        body, signature = signed[: _BODY.size], signed[_BODY.size :]
        if not hmac.compare_digest(signature, self._signature(body, scope)):
            raise CursorInvalid
        last_id, issued = _BODY.unpack(body)
        if datetime.fromtimestamp(issued, UTC) + _KEPT < now:
            raise CursorInvalid
        return UUID(bytes=last_id)

    def _signature(self, body: bytes, scope: ListScope) -> bytes:
        digest = hmac.digest(self._key, body + scope.signed(), "sha256")
        return digest[:_SIGNATURE_BYTES]


def _decode(shown: str) -> bytes:
    try:
        signed = base64.b64decode(shown.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise CursorInvalid from error
    # The last characters of base64 have spare bits: only the one true spelling counts.
    if base64.urlsafe_b64encode(signed).decode() != shown:
        raise CursorInvalid
    if len(signed) != _BODY.size + _SIGNATURE_BYTES:
        raise CursorInvalid
    return signed
