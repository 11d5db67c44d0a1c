"""What the gateway holds in memory while callers wait."""

import asyncio
import json
import tracemalloc

from tests.integration.realtime.doors import a_door
from tests.waiting import until

CALLERS = 8
BODY = json.dumps({"text": "A word or two about buses. " * 80_000}).encode()


async def test_who_waits_for_a_job_holds_no_text(database_url: str) -> None:
    async with a_door(database_url) as door:

        async def post() -> int:
            answer = await door.client.post(
                "/v1/summaries",
                content=BODY,
                headers={"Content-Type": "application/json", "Prefer": "wait=30"},
            )
            return answer.status_code

        async def all_are_queued() -> bool:
            return (await door.count_rows())["job"] == CALLERS

        tracemalloc.start()
        try:
            waiting = [asyncio.create_task(post()) for _ in range(CALLERS)]
            await until(all_are_queued)

            async def bodies_are_gone() -> bool:
                held, _ = tracemalloc.get_traced_memory()
                return held < 2 * len(BODY)

            await until(bodies_are_gone)
        finally:
            tracemalloc.stop()
        listed = (await door.client.get("/v1/summaries")).json()["data"]
        for job in listed:
            await door.client.post(job["links"]["cancel"])
        assert await asyncio.gather(*waiting) == [200] * CALLERS
