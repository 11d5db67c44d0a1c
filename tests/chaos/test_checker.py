"""The checker sees what is wrong: each promise is broken by hand, in Postgres."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from jobs.ids import SUMMARY, show_id
from jobs.lifecycle import State
from jobs.operations.leave import Departure, leave
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, a_tenant, claim_jobs
from tests.chaos.checker import Report, check
from tests.chaos.evidence import CLIENT, MAILS, OBSERVED, WEBHOOKS
from tests.chaos.journal import Journal

HOOK: dict[str, Any] = {
    "webhook_url": "http://127.0.0.1/hook",
    "webhook_lane": "host:127.0.0.1",
}


class Story:
    """One accepted, failed and told job, told so by everybody."""

    def __init__(self, database: Database, url: str, folder: Path) -> None:
        self._database = database
        self._url = url
        self.folder = folder
        self.client = Journal(folder / CLIENT)
        self.webhooks = Journal(folder / WEBHOOKS)
        self.observed = Journal(folder / OBSERVED)

    async def begin(
        self, tenant: TenantForTests, *, delivery: dict[str, Any] = HOOK
    ) -> None:
        self.uuid = await a_job(
            self._database, tenant, metadata={"key": "k1"}, delivery=delivery
        )
        self.id = show_id(SUMMARY, self.uuid)
        self.client.write("attempt", key="k1")
        self.client.write("acknowledged", key="k1", id=self.id)

    async def end(self, *, told: str = "delivered", error: str | None = None) -> None:
        [held] = await claim_jobs(self._database)
        departure = Departure(
            id=held.id, fence=held.fence, wish=State.FAILED, error_code="worker_lost"
        )
        async with self._database.statement() as tx:
            assert await leave(tx, [departure])
        await self.run(
            "UPDATE delivery SET state = 'sending', fence = 1, lease_until = now()"
        )
        await self.run(
            f"UPDATE delivery SET state = '{told}', fence = 2, lease_until = NULL,"
            f" attempt = 1, finished_at = now(), last_error = '{error or ''}'"
        )

    def receive(self, **changes: Any) -> None:
        event = f"evt_{self.uuid.hex}"
        told = {"event": event, "job": self.id, "type": "summary.failed"}
        self.webhooks.write(
            "webhook", **(told | {"digest": "d", "answer": "accepted"} | changes)
        )

    async def run(self, statement: str) -> None:
        async with self._database.statement() as tx:
            await tx.execute(sql(statement))

    def judge(self) -> Report:
        return check(self._url, self.folder, seed=7)


@pytest.fixture
async def story(database: Database, database_url: str, tmp_path: Path) -> Story:
    told = Story(database, database_url, tmp_path)
    await told.begin(await a_tenant(database))
    return told


def _words(report: Report) -> dict[str, int]:
    return {name: report.count(name) for name in ("lost", "duplicated", "unexpected")}


async def test_kept_promises_pass(story: Story) -> None:
    await story.end()
    story.receive()
    story.receive()  # at least once
    report = story.judge()
    report.require()
    assert report.lines()[-1] == "lost 0 duplicated 0 unexpected 0"
    assert report.figures["acknowledged"] == 1


async def test_a_job_without_an_ending_is_lost(story: Story) -> None:
    report = story.judge()
    assert _words(report) == {"lost": 1, "duplicated": 0, "unexpected": 0}
    told = "\n".join(report.lines())
    assert "seed 7" in told
    assert f"timeline of {story.id}" in told


async def test_an_order_that_nobody_took_is_lost(story: Story) -> None:
    await story.end()
    story.receive()
    story.client.write("attempt", key="k2")
    story.client.write("refused", key="k2", status=503, code="unavailable")
    story.client.write("given_up", key="k2")
    assert [each.what for each in story.judge().violations] == [
        "k2 was never taken: {'unavailable': 1}"
    ]


async def test_an_accepted_job_that_was_not_found_is_lost(story: Story) -> None:
    await story.end()
    story.receive()
    story.client.write("missing", id=story.id, status=404)
    assert [each.word for each in story.judge().violations] == ["lost"]


async def test_a_job_that_is_told_to_be_gone_was_erased(story: Story) -> None:
    await story.end()
    story.receive()
    story.client.write("missing", id=story.id, status=410)
    assert [each.word for each in story.judge().violations] == ["unexpected"]


async def test_an_acknowledged_job_that_is_not_there_is_lost(story: Story) -> None:
    await story.end()
    story.receive()
    story.client.write("attempt", key="k2")
    story.client.write("acknowledged", key="k2", id="sum_" + "0" * 32)
    assert story.judge().count("lost") == 1


async def test_an_ending_that_nobody_was_told_is_lost(story: Story) -> None:
    await story.end()
    assert story.judge().count("lost") == 1  # the journal of the receiver is empty


async def test_a_delivery_that_was_never_written_is_lost(story: Story) -> None:
    await story.end()
    await story.run("DELETE FROM delivery")
    assert [each.what for each in story.judge().violations] == [
        "ended with 0 of 1 deliveries"
    ]


async def test_a_mail_given_up_in_doubt_is_lost_unless_it_arrived(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    story = Story(database, database_url, tmp_path)
    await story.begin(await a_tenant(database), delivery={"email": ["a@example.com"]})
    await story.end(told="exhausted", error="reply_lost")
    mails = tmp_path / MAILS
    mails.mkdir()
    assert story.judge().count("lost") == 1
    told = f"Message-ID: <evt_{story.uuid.hex}@mail.example.com>\n\nit has ended\n"
    (mails / "1.eml").write_text(told)
    assert story.judge().is_good


async def test_two_jobs_of_one_key_are_a_double(
    story: Story, database: Database
) -> None:
    await story.end()
    story.receive()
    await a_job(database, await a_tenant(database), metadata={"key": "k1"})
    assert story.judge().count("duplicated") == 1


async def test_two_bodies_of_one_event_are_a_double(story: Story) -> None:
    await story.end()
    story.receive()
    story.receive(digest="another")
    assert story.judge().count("duplicated") == 1


async def test_a_job_that_nobody_asked_for_is_unexpected(
    story: Story, database: Database
) -> None:
    await story.end()
    story.receive()
    await a_job(database, await a_tenant(database), metadata={"key": "k9"})
    assert story.judge().count("unexpected") == 1


async def test_a_lease_of_nobody_is_unexpected(
    story: Story, database: Database
) -> None:
    await claim_jobs(database)
    await story.run("UPDATE job SET lease_until = now() - interval '3 s'")
    report = story.judge()
    assert report.figures["leaked leases"] == 1
    assert report.count("unexpected") == 1


async def test_an_ending_that_changed_is_unexpected(story: Story) -> None:
    await story.end()
    story.receive()
    story.observed.write(
        "job", id=story.id, state="cancelled", version=3, fence=2, attempt=1
    )
    report = story.judge()
    assert report.figures["endings changed"] == 1
    assert "observer" in "\n".join(report.lines())


async def test_a_failure_of_our_own_is_unexpected(story: Story) -> None:
    await story.end()
    story.receive()
    statements = (
        "ALTER TABLE job DISABLE TRIGGER USER",
        "UPDATE job SET error_code = 'internal_error'",
    )
    for statement in statements:
        await story.run(statement)
    assert story.judge().count("unexpected") == 1
