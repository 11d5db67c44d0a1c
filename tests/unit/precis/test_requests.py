import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from precis.client import requests
from precis.client.requests import Request, SubmitOptions


def _submit(options: SubmitOptions, *, text: str = "Text.") -> Request:
    return requests.submit(text, options, wait=None, is_async=False)


def _body(options: SubmitOptions, *, text: str = "Text.") -> dict[str, object]:
    content = _submit(options, text=text).content
    assert content is not None
    decoded: dict[str, object] = json.loads(content)
    return decoded


def test_a_bare_text_says_nothing_else() -> None:
    assert _body({}) == {"text": "Text."}


def test_every_option_has_its_place() -> None:
    body = _body(
        {
            "length": 120,
            "citations": True,
            "tier": "batch",
            "deadline": datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2))),
            "webhook": "https://hooks.example/x",
            "email": "a@example.com",
            "metadata": {"folder": "reports"},
        }
    )
    assert body == {
        "text": "Text.",
        "options": {"length": 120, "citations": True},
        "tier": "batch",
        "deadline": "2026-11-22T10:00:00Z",
        "delivery": {"webhook": "https://hooks.example/x", "email": ["a@example.com"]},
        "metadata": {"folder": "reports"},
    }


def test_an_endpoint_is_named_by_its_id() -> None:
    endpoint = "we_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b"
    delivery = _body({"webhook": endpoint})["delivery"]
    assert delivery == {"webhook": {"endpoint_id": endpoint}}


def test_a_span_becomes_a_moment_from_now() -> None:
    shown = str(_body({"deadline": timedelta(hours=2)})["deadline"])
    ahead = datetime.fromisoformat(shown) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=59) < ahead <= timedelta(hours=2)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        _submit({"deadline": datetime(2026, 11, 22)})  # noqa: DTZ001 - the mistake itself


def test_each_text_gets_a_key_of_its_own() -> None:
    keys = {_submit({}).headers["Idempotency-Key"] for _ in range(10)}
    assert len(keys) == 10
    assert all(key.startswith('"') and key.endswith('"') for key in keys)


def test_a_given_key_is_quoted_as_a_structured_string() -> None:
    key = _submit({"idempotency_key": 'a"b\\c'}).headers["Idempotency-Key"]
    assert key == '"a\\"b\\\\c"'


@pytest.mark.parametrize("key", ["é", "a\nb", "x" * 256])
def test_a_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        _submit({"idempotency_key": key})


def test_texts_travel_as_utf8_and_not_as_escapes() -> None:
    content = _submit({}, text="议会").content
    assert content is not None
    assert "议会".encode() in content


def test_wishes_for_time_are_preferences() -> None:
    waiting = requests.submit("T.", {}, wait=timedelta(seconds=5), is_async=False)
    queued = requests.submit("T.", {}, wait=None, is_async=True)
    assert waiting.headers["Prefer"] == "wait=5"
    assert queued.headers["Prefer"] == "respond-async"
    assert "Prefer" not in _submit({}).headers


def test_ids_cannot_lead_to_another_path() -> None:
    path = requests.summary("../webhook-endpoints?x=1", etag=None).path
    assert path == "/v1/summaries/..%2Fwebhook-endpoints%3Fx%3D1"


def test_filters_go_along_with_the_cursor() -> None:
    request = requests.page(
        "/v1/summaries",
        {
            "status": ["failed", "expired"],
            "created_from": datetime(2026, 1, 1, tzinfo=UTC),
            "metadata": {"folder": "a b"},
            "page_size": 5,
        },
        cursor="c1",
    )
    assert request.params == (
        ("status", "failed"),
        ("status", "expired"),
        ("created_from", "2026-01-01T00:00:00Z"),
        ("metadata[folder]", "a b"),
        ("limit", "5"),
        ("cursor", "c1"),
    )


def test_a_request_does_not_show_the_text() -> None:
    assert "secret text" not in repr(_submit({}, text="secret text"))
