"""Where requests of the same moment share a transaction: two groups, one writer each.

A caller is answered after the commit of its group, or told that nobody knows where
that does not come soon. What a missing id in the outcome means (a key that is taken)
is `idempotency`'s matter.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Final

from jobs.operations.answer import Answer, record_answers
from jobs.operations.submit import Submission, submit
from plumbing.database import Database, DatabaseUnavailable
from plumbing.group_commit import GroupCommit

# Else all who come would wait, with their texts, behind one commit that hangs.
_LONGEST_COMMIT: Final = timedelta(seconds=6)


class Recorder:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._submissions = GroupCommit[Submission, bool](self._submit)
        self._answers = GroupCommit[Answer, bool](self._record)

    async def submit(self, submission: Submission) -> bool:
        """Accept into batch; False: the key is taken, nothing was written."""
        return await _soon(self._submissions.put(submission))

    async def record(self, answer: Answer) -> bool:
        """Store a realtime answer; False: the reservation of its key was lost."""
        return await _soon(self._answers.put(answer))

    async def _submit(self, group: Sequence[Submission]) -> list[bool]:
        admitted = await self._database.run(lambda tx: submit(tx, group))
        return [each.job.id in admitted for each in group]

    async def _record(self, group: Sequence[Answer]) -> list[bool]:
        recorded = await self._database.run(lambda tx: record_answers(tx, group))
        return [each.job.id in recorded for each in group]


async def _soon(recorded: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(_LONGEST_COMMIT.total_seconds()):
            return await recorded
    except TimeoutError:
        raise DatabaseUnavailable("Postgres: no commit in time") from None
