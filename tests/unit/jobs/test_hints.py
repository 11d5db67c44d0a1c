"""Hints: what is read back, and what is refused as malformed."""

from typing import Any
from uuid import uuid4

import pytest

from jobs.messages.hint import (
    ClaimRequest,
    HintMalformed,
    decode_hint,
    encode_hint,
    parse_claim_request,
    split_claims,
)


def test_a_hint_carries_one_id_and_nothing_else() -> None:
    job_id = uuid4()
    assert decode_hint(encode_hint(job_id)) == job_id
    assert len(encode_hint(job_id)) < 80


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"v": 1}',
        b'{"v": 2, "job_id": "00000000000000000000000000000000"}',
        b'{"v": 1, "job_id": 7}',
        b'{"v": 1, "job_id": "x"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_malformed(value: bytes | None) -> None:
    with pytest.raises(HintMalformed):
        decode_hint(value)


def test_a_claim_request_comes_back_from_its_body() -> None:
    request = ClaimRequest(5, ("a", "b"))
    assert parse_claim_request(request.to_body()) == request


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"v": 1, "up_to": 0, "job_ids": []},
        {"v": 1, "up_to": 33, "job_ids": []},
        {"v": 1, "up_to": True, "job_ids": []},
        {"v": 1, "up_to": 1, "job_ids": [1]},
        {"v": 1, "up_to": 1},
        {"up_to": 1, "job_ids": []},
    ],
)
def test_other_bodies_are_malformed(body: Any) -> None:
    with pytest.raises(HintMalformed):
        parse_claim_request(body)


def test_requests_ask_for_all_and_none_for_too_many() -> None:
    requests = split_claims(list("abcdefg"), count=7, size=3)
    assert [r.up_to for r in requests] == [3, 3, 1]
    assert [i for r in requests for i in r.job_ids] == list("abcdefg")
