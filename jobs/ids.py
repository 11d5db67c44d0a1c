"""Identifiers: UUIDv7 inside, a prefix and 32 hexadecimal digits outside.

They sort by the time they were made and tell nothing else. A text that is not
exactly of this shape is nobody's id.
"""

import os
import re
import time
from typing import Final
from uuid import UUID

_SHAPE: Final = re.compile(r"([a-z]{2,4})_([0-9a-f]{32})")

SUMMARY: Final = "sum"
ENDPOINT: Final = "we"
DELIVERY: Final = "del"
TENANT: Final = "ten"
ERASURE: Final = "era"


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, the rest random."""
    value = int.from_bytes(os.urandom(10), "big")
    milliseconds = time.time_ns() // 1_000_000
    value |= (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def show_id(prefix: str, value: UUID) -> str:
    return f"{prefix}_{value.hex}"


def parse_id(prefix: str, shown: str) -> UUID | None:
    """The id behind its text; None for anything that is not exactly one."""
    match = _SHAPE.fullmatch(shown)
    if match is None or match[1] != prefix:
        return None
    return UUID(hex=match[2])
