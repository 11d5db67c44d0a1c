"""Our signatures, judged by the official library."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.signatures import new_secret, signed_headers

BODY = json.dumps({"type": "summary.succeeded", "ü": "\u2028"}).encode()


def sign(*secrets: str, moment: datetime | None = None) -> dict[str, str]:
    return signed_headers(
        secrets, event_id="evt_1", moment=moment or datetime.now(UTC), body=BODY
    )


def test_the_official_library_accepts_what_we_sign() -> None:
    secret = new_secret()
    assert Webhook(secret).verify(BODY, sign(secret))


def test_both_secrets_verify_while_one_is_being_replaced() -> None:
    old, new = new_secret(), new_secret()
    headers = sign(new, old)
    assert Webhook(old).verify(BODY, headers)
    assert Webhook(new).verify(BODY, headers)


def test_another_secret_or_body_is_refused() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, sign(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", sign(secret))


def test_the_time_is_right_in_whatever_zone_it_comes() -> None:
    secret = new_secret()
    elsewhere = datetime.now(timezone(timedelta(hours=9)))
    assert Webhook(secret).verify(BODY, sign(secret, moment=elsewhere))


def test_a_secret_is_32_random_bytes_behind_its_prefix() -> None:
    assert new_secret().startswith("whsec_")
    assert len(new_secret()) == len("whsec_") + 44
    assert new_secret() != new_secret()
