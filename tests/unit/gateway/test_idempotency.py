"""Reading an Idempotency-Key, and telling a repeat from a reuse."""

from typing import Any

import pytest

from gateway.ordering.idempotency import Key, read_key
from gateway.problems.answers import RequestRefused

PEPPER = b"pepper"


def key_of(header: str, document: Any = None) -> Key:
    key = read_key(header, document or {}, pepper=PEPPER)
    assert key is not None
    return key


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (
            '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
        ),
        ("bare-as-sdks-send-it", "bare-as-sdks-send-it"),
        (r'"a \"quoted\" part"', 'a "quoted" part'),
        ("k" * 255, "k" * 255),
        ('"' + "k" * 255 + '"', "k" * 255),
    ],
)
def test_quoted_and_bare_keys_are_read(header: str, value: str) -> None:
    assert key_of(header).value == value


@pytest.mark.parametrize(
    "header", ["", '""', '"', '"open', '"a"b', "k" * 256, "clé", "a\tb", "a\nb"]
)
def test_other_keys_are_refused(header: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        read_key(header, {}, pepper=PEPPER)
    assert caught.value.code == "idempotency_key_invalid"


def test_a_request_without_a_key_has_none() -> None:
    assert read_key(None, {}, pepper=PEPPER) is None


def test_the_order_of_members_does_not_make_another_request() -> None:
    first = key_of("k", {"text": "é", "options": {"length": 20, "citations": True}})
    again = key_of("k", {"options": {"citations": True, "length": 20}, "text": "é"})
    assert first == again


def test_another_text_makes_another_request() -> None:
    first, other = key_of("k", {"text": "one"}), key_of("k", {"text": "two"})
    assert first.fingerprint != other.fingerprint


def test_the_fingerprint_cannot_be_recomputed_without_the_pepper() -> None:
    other = read_key("k", {"text": "one"}, pepper=b"another")
    assert other is not None
    assert other.fingerprint != key_of("k", {"text": "one"}).fingerprint
