import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from plumbing.health import Check, HealthServer


async def well() -> None:
    pass


async def ill() -> None:
    raise ConnectionError("postgresql://u:hush@db")


async def hanging() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def serving(checks: Mapping[str, Check]) -> AsyncIterator[httpx.AsyncClient]:
    server = HealthServer("127.0.0.1", 0, checks=checks)
    await server.start()
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client
    await server.stop()


async def test_it_is_alive_whatever_its_parts_say() -> None:
    async with serving({"database": ill}) as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_means_that_every_check_passes() -> None:
    async with serving({"database": well, "kafka": well}) as client:
        answer = await client.get("/readyz?verbose")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "kafka": "ok"}


async def test_a_failed_check_is_named_by_its_class_alone() -> None:
    async with serving({"database": ill, "kafka": well}) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": "ConnectionError", "kafka": "ok"}


async def test_a_check_that_hangs_fails() -> None:
    async with serving({"database": hanging}) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": "TimeoutError"})


async def test_metrics_are_in_the_format_of_prometheus() -> None:
    async with serving({}) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "python_info" in answer.text


async def test_head_is_answered_without_a_body() -> None:
    async with serving({}) as client:
        answer = await client.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(json.dumps({"status": "ok"})))


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/healthz", 405)]
)
async def test_anything_else_is_refused(method: str, path: str, status: int) -> None:
    async with serving({}) as client:
        assert (await client.request(method, path)).status_code == status


@pytest.mark.parametrize(
    "sent", [b"", b"nonsense\r\n\r\n", b"x" * 100_000, b"\r\n\r\n"]
)
async def test_nonsense_does_not_disturb_it(sent: bytes) -> None:
    async with serving({}) as client:
        reader, writer = await asyncio.open_connection(
            client.base_url.host, client.base_url.port
        )
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()
        assert (await client.get("/healthz")).status_code == 200
