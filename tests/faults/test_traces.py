"""What callers entrust is looked for by its bytes, wherever it has no business.

A text, its summary and a label are planted at the door and go all the way. Texts and
summaries are in no dump, no log, nothing that Kafka and Valkey keep; a label is in the
database alone, and after the erasure nowhere.
"""

import asyncio
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.local.postgres_cluster import binary
from tests.faults.front import Caller, Front, a_caller
from tests.faults.tier import Tier
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes
from tests.scripted_engine import Call, completion
from tests.waiting import until


async def test_texts_summaries_and_labels_leave_no_trace(
    tier: Tier, processes: Processes, tmp_path: Path
) -> None:
    text, summary, label = (f"{name}{uuid4().hex}" for name in ("text", "sum", "label"))

    async def summarize(_: Call) -> tuple[int, dict[str, Any]]:
        return completion(f"The council of {summary} will buy buses next year.")

    front = await Front(
        processes, login_url(tier.database_url, "gateway"), log_level="DEBUG"
    ).ready()
    before, tier.engine.answer = tier.engine.answer, summarize
    try:
        async with a_caller(front.url, tier.tenant) as caller:
            path = await _summarized(caller, text=text, label=label)
            found = (await caller.get(f"{path}/result")).response.text
            assert summary in found, "it has not gone all the way"
            places = [tmp_path, tier.folder, tier.kafka.home, tier.valkey.home]
            dump = await _dump(tier.database_url)
            assert label.encode() in dump
            assert not [each for each in (text, summary) if each.encode() in dump]
            assert (await caller.client.delete(path)).status_code == 202
            assert label.encode() not in await _dump(tier.database_url)
    finally:
        tier.engine.answer = before
    read = b"".join(_contents(places))
    assert path.rpartition("_")[2].encode() in read, "no log names even the job"
    assert not [each for each in (text, summary, label) if each.encode() in read]


async def _summarized(caller: Caller, *, text: str, label: str) -> str:
    """The path of a job that went through the batch tier."""
    body = {
        "text": f"The council of {text} met on Tuesday. It will buy forty buses.",
        "tier": "batch",
        "metadata": {"label": label},
    }
    accepted = await caller.post(body)
    assert accepted.status == 202
    path = f"/v1/summaries/{accepted.response.json()['id']}"

    async def has_succeeded() -> bool:
        job = (await caller.get(path)).response.json()
        return bool(job["status"] == "succeeded")

    await until(has_succeeded)
    return path


async def _dump(database_url: str) -> bytes:
    program = (str(binary("pg_dump")), "--inserts", database_url)
    return await asyncio.to_thread(subprocess.check_output, program)


def _contents(places: Iterable[Path]) -> Iterable[bytes]:
    for place in places:
        for file in place.rglob("*"):
            if file.is_file():
                yield file.read_bytes()
