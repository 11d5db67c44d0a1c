"""Standard Webhooks 1.0: the three headers by which a receiver knows us.

Pure. The signature covers the id, the time of this attempt and the exact bytes sent.
While a secret is being replaced both the new and the old one sign, so that receivers
may change over at their leisure. How long that lasts is the stores' part.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    signing: Sequence[str], *, event_id: str, moment: datetime, body: bytes
) -> dict[str, str]:
    """The headers of one attempt, signed by each of the secrets, newest first."""
    timestamp = int(moment.timestamp())
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_sign(secret, content) for secret in signing),
    }


def _sign(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
