"""What may be asked for, and where a fault lies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.ordering.submission import Wanted, read_submission
from gateway.problems.answers import RequestRefused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT = 1000


def read(document: Any) -> Wanted:
    return read_submission(document, now=NOW, max_characters=LIMIT)


def wanted(**members: Any) -> Wanted:
    return read({"text": "Some text."} | members)


def faults(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(RequestRefused) as caught:
        read(document)
    assert caught.value.code == caught.value.faults[0].code
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def fault_of(**members: Any) -> tuple[str, str]:
    (fault,) = faults({"text": "Some text."} | members)
    return fault


def test_a_text_alone_is_enough() -> None:
    order = wanted()
    assert (order.tier, order.options.length, order.options.citations) == (
        "auto",
        "medium",
        False,
    )
    assert order.deadline == NOW + timedelta(hours=24)
    assert order.delivery is None


@pytest.mark.parametrize("length", ["short", "medium", "long", 20, 2000])
def test_named_lengths_and_words_are_allowed(length: Any) -> None:
    assert wanted(options={"length": length}).options.length == length


@pytest.mark.parametrize(
    "length", [0, -1, 19, 2001, 10**9, "10", "tiny", 1.5, True, None, [], {}]
)
def test_other_lengths_are_refused(length: Any) -> None:
    pointer, code = fault_of(options={"length": length})
    assert pointer == "/options/length"
    assert code in {"invalid_value", "wrong_type"}


@pytest.mark.parametrize("text", [None, 1, True, [], {}])
def test_a_text_is_a_string(text: Any) -> None:
    assert faults({"text": text}) == [("/text", "wrong_type")]


def test_what_is_missing_or_unknown_is_pointed_at() -> None:
    assert faults({}) == [("/text", "missing_field")]
    assert faults([]) == [("", "wrong_type")]
    assert fault_of(tenant_id="x") == ("/tenant_id", "unknown_field")
    assert fault_of(options={"style": "x"}) == ("/options/style", "unknown_field")


def test_several_faults_are_told_at_once() -> None:
    found = faults({"text": "a b", "state": 1, "options": {"citations": "yes"}})
    assert set(found) == {
        ("/state", "unknown_field"),
        ("/options/citations", "wrong_type"),
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "text_empty"),
        (" \n\u200b\u3164", "text_empty"),
        ("%PDF-1.7 and so on", "not_text"),
        ("x" * (LIMIT + 1), "text_too_long"),
    ],
)
def test_what_is_no_text_is_refused(text: str, code: str) -> None:
    assert faults({"text": text}) == [("/text", code)]


def test_code_points_are_what_counts() -> None:
    assert len(read({"text": "\U0001f600" * LIMIT}).text) == LIMIT


@pytest.mark.parametrize(
    ("deadline", "code"),
    [
        ("2026-11-21T12:00:00Z", "deadline_out_of_range"),
        ("2026-11-21T11:59:59Z", "deadline_out_of_range"),
        ("2026-11-24T12:00:01Z", "deadline_out_of_range"),
        ("2026-11-22", "invalid_value"),
        ("2026-11-22T12:00:60Z", "invalid_value"),
        ("0000-00-00T00:00:00Z", "invalid_value"),
        ("tomorrow", "invalid_value"),
        (1700000000, "wrong_type"),
    ],
)
def test_a_deadline_is_a_time_within_72_hours(deadline: Any, code: str) -> None:
    assert fault_of(deadline=deadline) == ("/deadline", code)


def test_the_last_allowed_deadline_is_taken() -> None:
    order = wanted(deadline="2026-11-24T13:00:00+01:00")
    assert order.deadline == NOW + timedelta(hours=72)


def test_a_webhook_is_a_url_or_names_an_endpoint() -> None:
    url = wanted(delivery={"webhook": "https://a.example"}).delivery
    assert url is not None
    assert url.webhook == "https://a.example"
    named = wanted(delivery={"webhook": {"endpoint_id": "we_1"}}).delivery
    assert named is not None
    assert not isinstance(named.webhook, str)


@pytest.mark.parametrize(
    ("delivery", "fault"),
    [
        ({"webhook": 1}, ("/delivery/webhook", "wrong_type")),
        ({"webhook": {}}, ("/delivery/webhook/endpoint_id", "missing_field")),
        (
            {"webhook": {"endpoint_id": "x", "url": "y"}},
            ("/delivery/webhook/url", "unknown_field"),
        ),
        ({"email": "a@b.example"}, ("/delivery/email", "wrong_type")),
        ({"email": ["a"] * 11}, ("/delivery/email", "invalid_value")),
        ({"email": [1]}, ("/delivery/email/0", "wrong_type")),
        ({"sms": "1"}, ("/delivery/sms", "unknown_field")),
    ],
)
def test_faulty_receivers_are_pointed_at(delivery: Any, fault: tuple[str, str]) -> None:
    assert fault_of(delivery=delivery) == fault


@pytest.mark.parametrize(
    "metadata",
    [
        {str(number): "" for number in range(17)},
        {"k" * 65: ""},
        {"": "x"},
        {"k": "v" * 513},
        {"k": 1},
        [],
    ],
)
def test_metadata_has_bounds(metadata: Any) -> None:
    pointer, _ = fault_of(metadata=metadata)
    assert pointer.startswith("/metadata")
