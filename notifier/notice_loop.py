"""Sends the notices to owners, one at a time: claim, send, record.

A notice waits for nobody and nobody waits for it, so it has no lanes and no crowd; its
schedule is that of a delivery. There is no notice about a notice: one that cannot be
sent ends as such, and the log says so.
"""

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from jobs.errors import LeaseLost
from notifier.mail import Sender
from notifier.notice_mail import compose_notice
from notifier.notice_store import (
    ClaimedNotice,
    claim_notice,
    note_doubt_of_notice,
    record_notice,
)
from notifier.outcomes import Outcome, failed
from notifier.schedule import MAX_DOUBTFUL_ATTEMPTS, next_step
from notifier.smtp import MailSender
from plumbing.database import Database, DatabaseUnavailable
from plumbing.repeating import repeat

log = structlog.get_logger()


class NoticeLoop:
    def __init__(
        self,
        database: Database,
        mails: MailSender,
        *,
        sender: Sender,
        lease: timedelta,
        rest: timedelta = timedelta(seconds=5),
    ) -> None:
        """`mails` limits how long a stop waits for the mail that is being sent."""
        self._database = database
        self._mails = mails
        self._sender = sender
        self._lease = lease
        self._rest = rest

    async def run(self, stop: asyncio.Event) -> None:
        await repeat(
            self.run_once,
            name="notices",
            rest=self._rest,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )

    async def run_once(self) -> bool:
        """Send the notice that is due; False: there was none."""
        async with self._database.statement() as tx:
            notice = await claim_notice(tx, lease=self._lease)
        if notice is None:
            return False
        try:
            outcome = await self._send(notice)
        except LeaseLost:
            log.info("notice.lost", notice_id=str(notice.id))
            return True
        await self._record(notice, outcome)
        return True

    async def _send(self, notice: ClaimedNotice) -> Outcome:
        if notice.doubts >= MAX_DOUBTFUL_ATTEMPTS:
            # The notifier that made the last of them died before it could record it.
            return failed("reply_lost")
        return await self._mails.send(
            compose_notice(notice, sender=self._sender),
            before_doubt=partial(self._note_doubt, notice),
        )

    async def _note_doubt(self, notice: ClaimedNotice) -> None:
        async with self._database.statement() as tx:
            if not await note_doubt_of_notice(tx, notice):
                raise LeaseLost

    async def _record(self, notice: ClaimedNotice, outcome: Outcome) -> None:
        step = next_step(notice.attempt, outcome, doubts=notice.doubts)
        async with self._database.statement() as tx:
            is_ours = await record_notice(tx, notice, outcome, step=step)
        log.info(
            "notice.attempted" if is_ours else "notice.lost",
            notice_id=str(notice.id),
            reason=notice.reason,
            attempt=notice.attempt,
            step=step.state.value,
            code=outcome.code,
            error=outcome.error,
        )
