"""Where requests of the same moment share a transaction: two groups, one writer each.

A caller is answered after the commit of its group, or told that nobody knows where
that does not come soon. What a missing id in the outcome means (a key that is taken)
is `idempotency`'s matter.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from jobs.operations.answer import Answer, record_answers
from jobs.operations.submit import Submission, submit
from plumbing.database import Database
from plumbing.group_commit import GroupCommit

# Else all who come would wait, with their texts, behind one commit that hangs.
_LONGEST_COMMIT: Final = timedelta(seconds=6)


class Recorder:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._submissions = GroupCommit[Submission, bool](
            self._submit, patience=_LONGEST_COMMIT
        )
        self._answers = GroupCommit[Answer, bool](
            self._record, patience=_LONGEST_COMMIT
        )

    async def submit(self, submission: Submission) -> bool:
        """Accept into batch; False: the key is taken, nothing was written."""
        return await self._submissions.put(submission)

    async def record(self, answer: Answer) -> bool:
        """Store a realtime answer; False: the reservation of its key was lost."""
        return await self._answers.put(answer)

    async def _submit(self, group: Sequence[Submission]) -> list[bool]:
        admitted = await self._database.run(lambda tx: submit(tx, group))
        return [each.job.id in admitted for each in group]

    async def _record(self, group: Sequence[Answer]) -> list[bool]:
        recorded = await self._database.run(lambda tx: record_answers(tx, group))
        return [each.job.id in recorded for each in group]
