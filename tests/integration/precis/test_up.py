"""`precis up` as a person runs it: the whole stack, a summary, Ctrl-C, nothing left."""

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.precis.conftest import Cli, finish

TEXT = (
    "The council voted for electric buses on Tuesday. They will be delivered next "
    "spring. The old diesel buses go to the museum. Nobody spoke against the plan."
)


@pytest.fixture
def cli() -> Iterator[Cli]:
    # Not pytest's own folder: it lets nobody else in, and root's Postgres is somebody.
    root = Path(tempfile.mkdtemp(prefix="precis-up-", dir="/var/tmp"))
    root.chmod(0o711)
    yield Cli(root, {})
    shutil.rmtree(root)


async def _tell(stream: asyncio.StreamReader | None, *, until: str) -> str:
    """The first line that holds the words, or what was written before the end."""
    assert stream is not None
    lines: list[str] = []
    async with asyncio.timeout(90):
        while line := (await stream.readline()).decode():
            lines.append(line)
            if until in line:
                return line
    raise AssertionError("".join(lines))


def _living(folder: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [
        each for each in found if str(folder) in " ".join(each.info["cmdline"] or ())
    ]


async def test_up_serves_until_ctrl_c_and_leaves_nothing(cli: Cli) -> None:
    running = await cli.start("up", "--ready-file", "told.json")
    try:
        line = await _tell(running.stdout, until="Precis is up at http")
    except AssertionError:
        pytest.fail((await finish(running)).err)
    told = json.loads((cli.folder / "told.json").read_text())
    assert told["url"] in line

    summary = await cli.run("summarize", "-", "--json", typed=TEXT)
    queued = await cli.run("summarize", "-", "--tier", "batch", typed=TEXT)
    assert (summary.status, queued.status) == (0, 0), summary.err + queued.err
    assert json.loads(summary.out)["status"] == "succeeded"
    assert "buses" in queued.out

    checked = await cli.run("doctor")
    assert checked.status == 0, checked.out
    assert not {"fail", "warn"} & {line[:4] for line in checked.out.splitlines()}
    assert "ok    processes" in checked.out
    listed = await cli.run("list", "--json", "--limit", "1")
    why = await cli.run("explain", json.loads(listed.out.splitlines()[0])["id"])
    assert (why.status, "It ended as succeeded" in why.out) == (0, True), why.err
    dead = await cli.run("dead-letters", "list")
    assert (dead.status, "no dead letters" in dead.err) == (0, True), dead.err

    second = await cli.run("up")
    assert (second.status, "in use" in second.err) == (9, True)

    running.send_signal(signal.SIGINT)
    outcome = await finish(running)
    assert outcome.status == 0
    assert not (cli.folder / "told.json").exists()
    assert _living(cli.folder) == []


async def test_up_can_be_stopped_before_it_is_up(cli: Cli) -> None:
    running = await cli.start("up")
    await _tell(running.stderr, until="postgres         starting")
    running.send_signal(signal.SIGTERM)
    outcome = await finish(running)
    assert outcome.status == 0
    assert "Precis is up" not in outcome.out
    assert _living(cli.folder) == []


async def test_a_model_without_its_server_is_refused(cli: Cli) -> None:
    outcome = await cli.run("up", "--engine-model", "some-model")
    assert (outcome.status, "--engine-url" in outcome.err) == (2, True)
    assert not (cli.folder / ".precis").exists()
