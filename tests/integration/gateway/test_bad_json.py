"""Bodies that are no JSON object of the documented shape (lines 21 to 36)."""

import gzip
import json

import httpx
import pytest

from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import (
    A_TEXT,
    Case,
    asked,
    check_refused,
    table,
)

GOOD = json.dumps(asked()).encode()


def body(line: int, name: str, content: bytes, status: int, code: str) -> Case:
    return Case(line=line, name=name, content=content, status=status, code=code)


CASES = (
    body(21, "invalid utf-8", b'{"text": "caf\xe9"}', 400, "invalid_encoding"),
    body(21, "overlong utf-8", b'{"text": "\xc0\xaf"}', 400, "invalid_encoding"),
    body(
        21, "surrogate in utf-8", b'{"text": "\xed\xa0\x80"}', 400, "invalid_encoding"
    ),
    body(22, "utf-16", json.dumps(asked()).encode("utf-16"), 400, "invalid_encoding"),
    body(23, "utf-8 mark", b"\xef\xbb\xbf" + GOOD, 400, "invalid_encoding"),
    Case(
        line=24,
        name="lone surrogate",
        content=b'{"text": "before \\ud800 after"}',
        status=422,
        code="invalid_character",
        pointer="/text",
    ),
    Case(
        line=24,
        name="lone surrogate in metadata",
        content=b'{"text": "before and after", "metadata": {"a": "\\udfff"}}',
        status=422,
        code="invalid_character",
        pointer="/metadata/a",
    ),
    Case(
        line=24,
        name="lone surrogate in a name",
        content=b'{"text": "before and after", "metadata": {"\\ud800": "a"}}',
        status=422,
        code="invalid_character",
        pointer="/metadata",
    ),
    Case(
        line=25,
        name="nul",
        content=b'{"text": "before \\u0000 after"}',
        status=422,
        code="invalid_character",
        pointer="/text",
    ),
    Case(
        line=25,
        name="nul in metadata",
        content=b'{"text": "before and after", "metadata": {"a": "\\u0000"}}',
        status=422,
        code="invalid_character",
        pointer="/metadata/a",
    ),
    body(25, "raw nul", b'{"text": "a \x00 b"}', 400, "malformed_json"),
    body(26, "truncated", GOOD[:-5], 400, "malformed_json"),
    body(26, "two documents", GOOD + GOOD, 400, "malformed_json"),
    body(26, "trailing comma", b'{"text": "a",}', 400, "malformed_json"),
    body(26, "single quotes", b"{'text': 'a'}", 400, "malformed_json"),
    body(
        27,
        "nan",
        b'{"text": "a", "options": {"length": NaN}}',
        400,
        "malformed_json",
    ),
    body(
        27,
        "infinity",
        b'{"text": "a", "options": {"length": -Infinity}}',
        400,
        "malformed_json",
    ),
    body(28, "deep lists", b"[" * 10_000 + b"]" * 10_000, 400, "json_too_complex"),
    body(28, "deep objects", b'{"a":' * 10_000, 400, "json_too_complex"),
    body(
        28,
        "deep metadata",
        b'{"text": "a", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        400,
        "json_too_complex",
    ),
    body(
        29,
        "duplicate keys",
        b'{"text": "first one", "text": "second one"}',
        400,
        "duplicate_member",
    ),
    body(
        29,
        "duplicate keys deeper",
        b'{"text": "a text", "options": {"length": 5, "length": 500}}',
        400,
        "duplicate_member",
    ),
    body(
        30,
        "100,000 keys",
        json.dumps(asked(metadata={str(n): "" for n in range(100_000)})).encode(),
        400,
        "json_too_complex",
    ),
    body(
        30,
        "100,000 addresses",
        json.dumps(asked(delivery={"email": ["a@b.example"] * 100_000})).encode(),
        400,
        "json_too_complex",
    ),
    body(
        31,
        "1e400",
        b'{"text": "a text", "options": {"length": 1e400}}',
        422,
        "number_out_of_range",
    ),
    body(
        31,
        "5000 digits",
        b'{"text": "a text", "options": {"length": ' + b"9" * 5000 + b"}}",
        422,
        "number_out_of_range",
    ),
    *(
        Case(
            line=32,
            name=name,
            content=content,
            status=422,
            code="wrong_type",
            pointer="",
        )
        for name, content in (
            ("array", b'[{"text": "a"}]'),
            ("string", b'"text"'),
            ("number", b"1"),
            ("null", b"null"),
        )
    ),
    *(
        Case(
            line=33,
            name=f"text is {json.dumps(text)}",
            json={"text": text},
            status=422,
            code="wrong_type",
            pointer="/text",
        )
        for text in (None, 1, 1.5, ["a"], {"a": "b"}, True)
    ),
    Case(
        line=33,
        name="no text",
        json={},
        status=422,
        code="missing_field",
        pointer="/text",
    ),
    *(
        Case(
            line=34,
            name=name,
            json=asked(**{name: value}),
            status=422,
            code="unknown_field",
            pointer=f"/{name}",
        )
        for name, value in (
            ("tenant_id", "00000000-0000-0000-0000-000000000000"),
            ("state", "succeeded"),
            ("fence", 1),
            ("id", "sum_00000000000000000000000000000000"),
            ("Text", "again"),
            ("__class__", {}),
        )
    ),
    Case(
        line=34,
        name="inside options",
        json=asked(options={"attempt": 1}),
        status=422,
        code="unknown_field",
        pointer="/options/attempt",
    ),
    Case(
        line=34,
        name="inside delivery",
        json=asked(delivery={"lane": "x"}),
        status=422,
        code="unknown_field",
        pointer="/delivery/lane",
    ),
    *(
        Case(
            line=35,
            name=name,
            content=GOOD,
            headers={"Content-Type": content_type},
            status=415,
            code="unsupported_media_type",
        )
        for name, content_type in (
            ("plain text", "text/plain"),
            ("form", "application/x-www-form-urlencoded"),
            ("problem", "application/problem+json"),
            ("utf-7", "application/json; charset=utf-7"),
            ("latin-1", "application/json; charset=iso-8859-1"),
            ("garbage", ";;;"),
            ("empty", ""),
        )
    ),
    Case(
        line=36,
        name="multipart",
        content=b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na\r\n--x--',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        status=415,
        code="unsupported_media_type",
    ),
)


@table(*CASES)
async def test_a_bad_body_is_refused(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    await check_refused(case, house, client)


@table(*(case for case in CASES if case.line in {21, 22, 23, 26, 28, 29, 32, 35, 36}))
async def test_a_bad_body_is_refused_for_an_endpoint_too(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    changed = Case(**{**vars(case), "path": "/v1/webhook-endpoints", "pointer": None})
    await check_refused(changed, house, client)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
    ],
)
async def test_35_every_spelling_of_json_in_utf_8_is_read(
    content_type: str, client: httpx.AsyncClient
) -> None:
    response = await client.post(
        "/v1/summaries", content=GOOD, headers={"Content-Type": content_type}
    )
    assert response.status_code == 200, response.text


async def test_12_a_compressed_body_is_not_read(
    house: House, client: httpx.AsyncClient
) -> None:
    before = house.row_counts()
    response = await client.post(
        "/v1/summaries",
        content=gzip.compress(GOOD),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_encoding"
    assert house.row_counts() == before
    assert A_TEXT[:20] not in response.text
