"""Accept, Prefer, If-None-Match, times and pauses, as they come in and go out."""

from datetime import timedelta

import pytest

from gateway.pacing import pause_seconds
from gateway.requests.accepting import wants_markdown
from gateway.requests.entity_tags import matches
from gateway.requests.preferences import Preferences, parse_prefer
from gateway.requests.times import parse_time


@pytest.mark.parametrize(
    ("accept", "is_markdown"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/markdown", True),
        ("TEXT/Markdown; charset=utf-8", True),
        ("text/*", True),
        ("text/markdown, application/json", False),
        ("text/markdown;q=0.9, application/json;q=0.8", True),
        ("text/markdown;q=0.5, */*;q=0.8", False),
        ("text/markdown, */*;q=0.1", True),
        ("text/markdown;q=0", False),
        ("text/markdown;q=nonsense", False),
        ("image/png", False),
    ],
)
def test_markdown_is_given_to_who_likes_it_better(
    *, accept: str | None, is_markdown: bool
) -> None:
    assert wants_markdown(accept) is is_markdown


@pytest.mark.parametrize(
    ("header", "wished", "applied"),
    [
        (None, Preferences(), None),
        ("wait=30", Preferences(wait=timedelta(seconds=30)), "wait=30"),
        ('Wait="5"; x=1', Preferences(wait=timedelta(seconds=5)), "wait=5"),
        ("wait=0", Preferences(wait=timedelta(0)), "wait=0"),
        ("wait=999999", Preferences(wait=timedelta(seconds=60)), "wait=60"),
        ("wait=-1, wait", Preferences(), None),
        ("wait=٣", Preferences(), None),
        ("wait=1, wait=2", Preferences(wait=timedelta(seconds=1)), "wait=1"),
        (
            "respond-async, wait=7",
            Preferences(respond_async=True, wait=timedelta(seconds=7)),
            "respond-async, wait=7",
        ),
        (", ,=;,\x7f", Preferences(), None),
    ],
)
def test_a_preference_is_a_wish_and_never_an_error(
    header: str | None, wished: Preferences, applied: str | None
) -> None:
    assert parse_prefer(header) == wished
    assert wished.applied == applied


@pytest.mark.parametrize(
    ("known", "is_known"),
    [
        (None, False),
        ("", False),
        ('"3.1"', True),
        ('W/"3.1"', True),
        ('"1", W/"3.1"', True),
        ("*", True),
        ("3.1", False),
        ('"3.10"', False),
    ],
)
def test_a_tag_matches_as_a_whole(*, known: str | None, is_known: bool) -> None:
    assert matches(known, '"3.1"') is is_known


@pytest.mark.parametrize(
    "shown",
    [
        "0000-00-00T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-01-01T00:00:00Z\n",
        "٢026-01-01T00:00:00Z",
        "now",
    ],
)
def test_what_is_no_time_is_refused(shown: str) -> None:
    assert parse_time(shown) is None


def test_a_time_is_the_same_in_every_zone() -> None:
    zulu = parse_time("2026-01-31T09:00:00.5Z")
    assert zulu is not None
    assert zulu == parse_time("2026-01-31t10:00:00.500000000+01:00")


def test_books_are_asked_for_less_often_than_pages() -> None:
    assert pause_seconds(100) == 1
    assert 1 < pause_seconds(100_000) < pause_seconds(500_000) <= 30
