"""What a `Location` begins with: the address under which a caller reached us."""

import re
from typing import Final

from fastapi import Request

_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")


def own_address(request: Request, *, public_url: str | None) -> str:
    """The public URL, where one is set, or the request's own host where that can be one."""
    if public_url is not None:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    # Whatever cannot be a host would make the address point elsewhere.
    return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else ""
