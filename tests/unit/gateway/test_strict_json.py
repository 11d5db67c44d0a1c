"""JSON that other readers let pass, and what it is refused for."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems.answers import RequestRefused
from gateway.requests.strict_json import read_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**16), 10**16)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=10,
)


def refusal(raw: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_json(raw)
    return caught.value


@given(VALUES)
def test_what_json_can_say_is_read_as_it_stands(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"\xef\xbb\xbf{}", "invalid_encoding"),
        ('{"a": "é"}'.encode("latin-1"), "invalid_encoding"),
        (b'"\xed\xa0\x80"', "invalid_encoding"),
        ("{}".encode("utf-16"), "invalid_encoding"),
        (b'{"a": 1', "malformed_json"),
        (b"{} {}", "malformed_json"),
        (b'{"a": "line\nline"}', "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": -Infinity}', "malformed_json"),
        (b'{"a": 1, "a": 1}', "duplicate_member"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "duplicate_member"),
        (b"1e400", "number_out_of_range"),
        (b"9" * 5000, "number_out_of_range"),
        (b"[" * 10_000 + b"]" * 10_000, "json_too_complex"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "json_too_complex"),
        (b"[" + b"0," * 20_000 + b"0]", "json_too_complex"),
        (b'"\\u0000"', "invalid_character"),
        (b'"\\ud800"', "invalid_character"),
    ],
)
def test_a_fault_has_its_code(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


def test_100_000_members_are_refused_before_they_are_kept() -> None:
    members = ", ".join(f'"{number}": 0' for number in range(100_000))
    assert refusal(f"{{{members}}}".encode()).code == "json_too_complex"


@pytest.mark.parametrize("item", [b"[]", b"{}", b'"ab"', b"0.5"])
def test_a_swarm_of_small_values_is_refused_before_it_is_made(item: bytes) -> None:
    raw = b"[" + (item + b",") * 400_000 + b"0]"
    tracemalloc.start()
    try:
        assert refusal(raw).code == "json_too_complex"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(raw)


@pytest.mark.parametrize(
    "text", ["[{,", '\\"[{,', "\\\\", '\\\\"', '"', "\u4e2d,"], ids=repr
)
def test_what_stands_in_a_string_makes_no_document_complex(text: str) -> None:
    document = {"text": text * 30_000, text: [text, {}]}
    assert read_json(json.dumps(document).encode()) == document


def test_the_pointer_leads_to_the_wrong_character() -> None:
    raw = b'{"a/b": [{"~": "\\udfff"}]}'
    assert [fault.pointer for fault in refusal(raw).faults] == ["/a~1b/0/~0"]


def test_the_pointer_leads_to_the_number_out_of_range() -> None:
    raw = b'{"a": [0, 1e400]}'
    assert [fault.pointer for fault in refusal(raw).faults] == ["/a/1"]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"
