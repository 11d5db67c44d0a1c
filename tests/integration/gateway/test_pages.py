"""Pages without a key: probes, metrics, problems, the OpenAPI document."""

import asyncio
import re

import httpx

from gateway.problems.catalogue import PROBLEMS
from jobs.messages.problem import FAILURES
from tests.integration.gateway.conftest import (
    GatewayThread,
    House,
    free_port,
    gateway_settings,
)
from tests.integration.gateway.refusals import asked, check_problem


def nobody(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False)


async def test_a_gateway_with_its_database_is_ready(house: House) -> None:
    async with nobody(house.url) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"database": "ok"})


async def test_a_gateway_without_its_database_lives_but_is_not_ready() -> None:
    nowhere = f"postgresql://nobody:hidden@127.0.0.1:{free_port()}/none"
    gateway = await asyncio.to_thread(GatewayThread(gateway_settings(nowhere)).start)
    try:
        async with nobody(gateway.url) as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
    finally:
        await asyncio.to_thread(gateway.stop)
    assert ready.status_code == 503
    assert ready.json() == {"database": "DatabaseUnavailable"}
    assert "hidden" not in ready.text


async def test_every_code_has_a_page(house: House) -> None:
    async with nobody(house.url) as client:
        index = (await client.get("/problems")).text
        paths = re.findall(r'href="([^"]+)"', index)
        assert len(paths) == len({*PROBLEMS, *FAILURES})
        for path in paths:
            page = await client.get(path)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert "{" not in page.text
        for slug in ("nothing", "not_found", "Not-Found", "<script>"):
            response = await client.get(f"/problems/{slug}")
            check_problem(response, status=404, code="not_found")


async def test_metrics_name_routes_and_no_tenant(
    house: House, client: httpx.AsyncClient
) -> None:
    job = (await client.post("/v1/summaries", json=asked(tier="batch"))).json()
    await client.get(f"/v1/summaries/{job['id']}")
    async with nobody(house.url) as anyone:
        metrics = (await anyone.get("/metrics")).text
    assert "/v1/summaries/{summary_id}" in metrics
    assert job["id"] not in metrics
    assert house.tenant.id.hex not in metrics.replace("-", "")


async def test_the_document_tells_the_whole_truth(house: House) -> None:
    async with nobody(house.url) as client:
        document = (await client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in str(document)
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
    ]
    assert len({operation["operationId"] for _, operation in operations}) == len(
        operations
    )
    for path, operation in operations:
        is_guarded = path.startswith("/v1/")
        assert (operation.get("security") == [{"apiKey": []}]) is is_guarded, path
        assert ("401" in operation["responses"]) is is_guarded, path


async def test_there_is_no_interactive_documentation(house: House) -> None:
    async with nobody(house.url) as client:
        for path in ("/docs", "/redoc"):
            response = await client.get(path)
            check_problem(response, status=404, code="not_found")
