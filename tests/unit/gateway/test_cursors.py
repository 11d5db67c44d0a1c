"""A cursor is read only where and by whom it was issued."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.requests.cursors import CursorInvalid, CursorSigner, ListScope

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TENANT = uuid4()
SIGNER = CursorSigner(b"pepper")


def a_scope(
    name: str = "summaries",
    tenant: UUID = TENANT,
    filters: Mapping[str, Any] | None = None,
) -> ListScope:
    return ListScope(name=name, tenant_id=tenant, filters=filters or {})


def test_a_cursor_gives_back_the_id_it_was_issued_for() -> None:
    last = uuid4()
    cursor = SIGNER.issue(last, a_scope(), now=NOW)
    assert SIGNER.read(cursor, a_scope(), now=NOW + timedelta(hours=23)) == last


@pytest.mark.parametrize(
    "other",
    [
        a_scope(name="deliveries"),
        a_scope(tenant=uuid4()),
        a_scope(filters={"status": ["failed"]}),
    ],
    ids=["list", "tenant", "filters"],
)
def test_a_cursor_is_refused_in_another_scope(other: ListScope) -> None:
    cursor = SIGNER.issue(uuid4(), a_scope(), now=NOW)
    with pytest.raises(CursorInvalid):
        SIGNER.read(cursor, other, now=NOW)


def test_a_cursor_of_the_day_before_yesterday_is_refused() -> None:
    cursor = SIGNER.issue(uuid4(), a_scope(), now=NOW)
    with pytest.raises(CursorInvalid):
        SIGNER.read(cursor, a_scope(), now=NOW + timedelta(hours=25))


def test_a_cursor_of_another_pepper_is_refused() -> None:
    cursor = CursorSigner(b"salt").issue(uuid4(), a_scope(), now=NOW)
    with pytest.raises(CursorInvalid):
        SIGNER.read(cursor, a_scope(), now=NOW)


@given(place=st.integers(min_value=0, max_value=287))
def test_no_bit_of_a_cursor_may_change(place: int) -> None:
    cursor = SIGNER.issue(uuid4(), a_scope(), now=NOW)
    changed = bytearray(base64.urlsafe_b64decode(cursor))
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(CursorInvalid):
        SIGNER.read(base64.urlsafe_b64encode(changed).decode(), a_scope(), now=NOW)


@given(shown=st.text(max_size=80))
def test_no_text_of_a_callers_making_is_a_cursor(shown: str) -> None:
    with pytest.raises(CursorInvalid):
        SIGNER.read(shown, a_scope(), now=NOW)
