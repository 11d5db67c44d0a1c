"""Requests that are wrong before anybody looks into them (lines 1-3, 11-13, 19).

Written to the socket by hand where an HTTP client would not send such a thing.
"""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import Case, asked, check_refused, table

LIMIT = 32_000_000
_PATIENCE_SECONDS = 20

CASES = (
    Case(line=1, name="no body", content=b"", status=400, code="empty_body"),
    Case(line=1, name="blank body", content=b" \r\n", status=400, code="empty_body"),
    Case(
        line=11,
        name="query over 8 kB",
        method="GET",
        path="/v1/summaries?cursor=" + "a" * 8200,
        status=414,
        code="uri_too_long",
    ),
    Case(
        line=11,
        name="path over 8 kB",
        method="GET",
        path="/v1/summaries/" + "a" * 8200,
        status=414,
        code="uri_too_long",
    ),
)


@table(*CASES)
async def test_it_is_refused(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    await check_refused(case, house, client)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    code: str
    is_closed: bool


async def speak(
    house: House, *headers: str, pieces: int = 0, piece: bytes = b""
) -> Answer:
    """POST by hand; gives the answer, and whether the connection was closed after it."""
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = [
        "POST /v1/summaries HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: {house.headers['Authorization']}",
        *headers,
    ]
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await _send_pieces(writer, pieces=pieces, piece=piece)
            return await _hear(reader)
    finally:
        writer.close()


async def _send_pieces(
    writer: asyncio.StreamWriter, *, pieces: int, piece: bytes
) -> None:
    try:
        for _ in range(pieces):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
    except ConnectionError:
        pass  # it is refused before its end, which is the point


async def _hear(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status_line, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers["content-length"]))
    try:
        rest = await reader.read(1)
    except ConnectionError:
        rest = b""
    return Answer(
        status=int(status_line.split()[1]),
        headers=headers,
        code=json.loads(body)["code"],
        is_closed=rest == b"",
    )


async def test_2_an_announced_body_over_the_limit_is_not_read(house: House) -> None:
    before = house.row_counts()
    answer = await speak(
        house, "Content-Type: application/json", f"Content-Length: {LIMIT + 1}"
    )
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert answer.is_closed
    assert house.row_counts() == before


async def test_3_a_chunked_body_over_the_limit_is_cut_off(house: House) -> None:
    before = house.row_counts()
    piece = b" " * 1_000_000
    answer = await speak(
        house,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        pieces=LIMIT // len(piece) + 1,
        piece=piece,
    )
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert answer.is_closed
    assert house.row_counts() == before


async def test_13_a_compressed_body_is_refused_unread(house: House) -> None:
    before = house.row_counts()
    answer = await speak(
        house,
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        "Content-Length: 10000000",
    )
    assert (answer.status, answer.code) == (415, "unsupported_encoding")
    assert answer.is_closed
    assert house.row_counts() == before


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "HEAD"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/summaries", {"GET", "POST"}),
        ("/v1/summaries/sum_0", {"GET", "DELETE"}),
        ("/v1/summaries/sum_0/cancel", {"POST"}),
        ("/v1/webhook-endpoints/we_0", {"GET", "DELETE"}),
        ("/healthz", {"GET"}),
    ],
)
async def test_19_another_method_is_told_which_are_allowed(
    method: str, path: str, allowed: set[str], house: House, client: httpx.AsyncClient
) -> None:
    before = house.row_counts()
    response = await client.request(method, path, json=asked())
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed
    assert response.headers["content-type"] == "application/problem+json"
    assert house.row_counts() == before
