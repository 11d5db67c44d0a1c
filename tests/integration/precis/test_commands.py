"""The commands of a user, against a running gateway."""

import json
import signal
from uuid import UUID

import pytest

from jobs.ids import SUMMARY, parse_id
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant
from tests.integration.precis import worker_hand
from tests.integration.precis.conftest import Cli, finish
from tests.integration.precis.worker_hand import WorkerHand

SHORT = (
    "The council voted for electric buses on Tuesday. They will be delivered next "
    "spring. The old diesel buses go to the museum. Nobody spoke against the plan."
)
LONG = "The council voted for electric buses. " * 900


def _job_id(shown: str) -> UUID:
    found = parse_id(SUMMARY, shown)
    assert found is not None
    return found


async def _accepted(cli: Cli, *arguments: str) -> str:
    outcome = await cli.run("summarize", *arguments, "--no-wait", "--json")
    assert outcome.status == 0, outcome.err
    accepted: str = json.loads(outcome.out)["id"]
    return accepted


@pytest.fixture
def book(cli: Cli) -> str:
    (cli.folder / "book.txt").write_text(LONG)
    return "book.txt"


async def test_a_short_text_comes_back_on_standard_output(cli: Cli) -> None:
    outcome = await cli.run("summarize", "-", typed=SHORT)
    assert outcome.status == 0
    assert "buses" in outcome.out
    assert outcome.err == ""


async def test_json_is_the_job_object_with_the_files_name(cli: Cli) -> None:
    (cli.folder / "note.md").write_text(SHORT)
    outcome = await cli.run("summarize", "note.md", "--json", "--length", "short")
    job = json.loads(outcome.out)
    assert (outcome.status, job["file"], job["status"]) == (0, "note.md", "succeeded")
    assert job["routing"]["tier"] == "realtime"
    assert job["summary"]


async def test_one_bad_file_does_not_keep_the_others_back(cli: Cli) -> None:
    (cli.folder / "a.txt").write_text(SHORT)
    (cli.folder / "b.txt").write_bytes(b"\xff\xfe\x00")
    (cli.folder / "c.txt").write_text(" ")
    (cli.folder / "d.txt").write_text(SHORT)
    outcome = await cli.run("summarize", ".")
    assert outcome.out.count("# ") == 2
    assert "b.txt is not UTF-8" in outcome.err
    assert "c.txt: The text is empty (text_empty)" in outcome.err
    assert outcome.status == 2


async def test_a_job_is_followed_from_its_id_to_its_cancelling(
    cli: Cli, book: str
) -> None:
    job_id = await _accepted(cli, book)

    status = await cli.run("status", job_id)
    assert (status.status, "queued" in status.out) == (0, True)
    listed = await cli.run("list", "--json")
    assert [json.loads(line)["id"] for line in listed.out.splitlines()] == [job_id]
    assert job_id in (await cli.run("list")).out

    early = await cli.run("result", job_id)
    assert (early.status, "--wait" in early.err) == (8, True)
    for _ in range(2):
        cancelled = await cli.run("cancel", job_id)
        assert (cancelled.status, "cancelled" in cancelled.out) == (0, True)
    late = await cli.run("result", job_id)
    assert (late.status, "--partial" in late.err) == (1, True)


async def test_a_long_text_is_waited_for_and_quoted(
    cli: Cli, book: str, worker: WorkerHand
) -> None:
    running = await cli.start("summarize", book, "--citations")
    assert running.stderr is not None
    told = (await running.stderr.readline()).decode()
    job_id = _job_id(told.partition("accepted as ")[2].partition(" ")[0])
    await worker.take(job_id)
    await worker.succeed(job_id)
    outcome = await finish(running)
    assert outcome.status == 0
    assert outcome.out.startswith(worker_hand.SUMMARY)
    assert "The council voted for electric buses" in outcome.out


async def test_a_failed_job_says_why_and_where_its_sections_are(
    cli: Cli, book: str, worker: WorkerHand
) -> None:
    shown = await _accepted(cli, book)
    await worker.take(_job_id(shown))
    partial = await cli.run("result", shown, "--partial")
    assert "Section 0." in partial.out
    assert "not all of it" in partial.err
    await worker.fail(_job_id(shown))
    outcome = await cli.run("result", shown, "--wait")
    assert outcome.status == 1
    assert "model_output_invalid" in outcome.err
    assert "--partial" in outcome.err


async def test_ctrl_c_leaves_the_job_alone_and_names_it(cli: Cli, book: str) -> None:
    running = await cli.start("summarize", book)
    assert running.stderr is not None
    told = (await running.stderr.readline()).decode()
    shown = told.partition("accepted as ")[2].partition(" ")[0]
    running.send_signal(signal.SIGINT)
    outcome = await finish(running)
    assert outcome.status == 130
    assert f"goes on as {shown}" in outcome.err
    assert "Traceback" not in outcome.err
    assert "queued" in (await cli.run("status", shown)).out


async def test_a_key_that_is_not_valid_is_told_with_the_remedy(cli: Cli) -> None:
    cli.environment["PRECIS_API_KEY"] = "sk_live_made_up"
    outcome = await cli.run("list")
    assert outcome.status == 5
    assert "precis admin key create" in outcome.err
    assert "sk_live_made_up" not in outcome.err


async def test_a_strangers_job_is_not_there(
    cli: Cli, book: str, service_database: Database
) -> None:
    shown = await _accepted(cli, book)
    stranger: TenantForTests = await a_tenant(service_database)
    cli.environment["PRECIS_API_KEY"] = stranger.api_key
    for command in ("status", "result", "cancel"):
        assert (await cli.run(command, shown)).status == 6


async def test_a_service_that_is_away_is_told_in_seconds(cli: Cli) -> None:
    cli.environment["PRECIS_URL"] = "http://127.0.0.1:1"
    outcome = await cli.run("list")
    assert outcome.status == 3
    assert "precis up" in outcome.err


async def test_what_the_service_refuses_is_told_in_its_words(cli: Cli) -> None:
    outcome = await cli.run("summarize", "-", "--email", "nobody", typed=SHORT)
    assert outcome.status == 4
    assert "email_invalid" in outcome.err


async def test_a_text_too_long_for_the_realtime_tier_is_refused(
    cli: Cli, book: str
) -> None:
    outcome = await cli.run("summarize", book, "--tier", "realtime")
    assert outcome.status == 4
    assert "tier: auto" in outcome.err


async def test_the_ready_file_of_a_local_stack_is_enough(cli: Cli) -> None:
    ready = {
        "url": cli.environment.pop("PRECIS_URL"),
        "api_key": cli.environment.pop("PRECIS_API_KEY"),
    }
    assert (await cli.run("list")).status == 3
    (cli.folder / ".precis").mkdir()
    (cli.folder / ".precis" / "ready.json").write_text(json.dumps(ready))
    assert (await cli.run("list")).status == 0


async def test_a_proxy_in_the_environment_is_not_asked_for_a_local_service(
    cli: Cli,
) -> None:
    cli.environment["HTTP_PROXY"] = cli.environment["http_proxy"] = "http://127.0.0.1:1"
    assert (await cli.run("list")).status == 0
