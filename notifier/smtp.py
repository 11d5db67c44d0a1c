"""Hands one mail to the relay: one connection, one receiver, one outcome.

Told apart: the relay refuses this mailbox or this mail for good (5xx), it cannot
take it now (4xx, no connection, junk), or it fell silent after it had the mail, when
nobody knows. A relay that refuses us (login, sender) is our fault, not the
receiver's, and may pass.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Final, Literal

import aiosmtplib

from notifier.outcomes import Outcome, Verdict, failed

TIME_LIMIT: Final = timedelta(seconds=30)
_QUIT_SECONDS: Final = 1.0
_PERMANENT: Final = range(500, 600)

Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where mail is handed over, and how."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = None


class MailSender:
    def __init__(
        self, relay: Relay, *, our_name: str, time_limit: timedelta = TIME_LIMIT
    ) -> None:
        """`our_name` greets the relay; asking the system for it could block."""
        self._relay = relay
        self._our_name = our_name
        self._time_limit = time_limit

    async def send(
        self, mail: EmailMessage, *, before_doubt: Callable[[], Awaitable[None]]
    ) -> Outcome:
        """Make one attempt; every way in which the relay can fail is an outcome.

        `before_doubt` is awaited when only the mail itself is left to be said; if it
        raises, the relay never gets the mail, and the error is the caller's.
        """
        client = self._client()
        try:
            outcome = await self._hand_over(_HandingOver(client, mail, before_doubt))
            if outcome.code is not None:
                await _say_goodbye(client)
        finally:
            client.close()
        return outcome

    async def greet(self) -> str | None:
        """Connect, log in and leave, without a mail: why that fails, or None."""
        client = self._client()
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                await client.connect()
                await client.ehlo()
                await _say_goodbye(client)
        except aiosmtplib.SMTPResponseException as error:
            return _judge(error).error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _word_for(error)
        finally:
            client.close()
        return None

    async def _hand_over(self, conversation: "_HandingOver") -> Outcome:
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                code = await conversation.run()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            if isinstance(error, aiosmtplib.SMTPResponseException) and (
                error.code > 0 or not conversation.may_be_kept
            ):
                return _judge(error)
            # TimeoutError is an OSError; ValueError is a reply that cannot be read.
            if conversation.may_be_kept:
                return _in_doubt()
            return failed(_word_for(error))
        return Outcome(verdict=Verdict.ACCEPTED, code=code)

    def _client(self) -> aiosmtplib.SMTP:
        relay = self._relay
        return aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password,
            local_hostname=self._our_name,
            timeout=self._time_limit.total_seconds(),
            use_tls=relay.security == "tls",
            start_tls=relay.security == "starttls",
        )


class _HandingOver:
    """The conversation, and whether it came to where doubt begins."""

    def __init__(
        self,
        client: aiosmtplib.SMTP,
        mail: EmailMessage,
        before_doubt: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._mail = mail
        self._before_doubt = before_doubt
        self.may_be_kept = False

    async def run(self) -> int:
        await self._client.connect()
        await self._client.mail(self._mail["From"].addresses[0].addr_spec)
        await self._client.rcpt(self._mail["To"].addresses[0].addr_spec)
        await self._before_doubt()
        self.may_be_kept = True
        return (await self._client.data(self._mail.as_bytes())).code


def _judge(error: aiosmtplib.SMTPResponseException) -> Outcome:
    code = error.code if error.code > 0 else None
    is_about_us = isinstance(
        error,
        aiosmtplib.SMTPAuthenticationError
        | aiosmtplib.SMTPSenderRefused
        | aiosmtplib.SMTPConnectResponseError
        | aiosmtplib.SMTPHeloError,
    )
    if code in _PERMANENT and not is_about_us:
        return Outcome(verdict=Verdict.REFUSED, code=code, error="mail_refused")
    word = "relay_refused_us" if is_about_us else "relay_busy"
    return failed(word, code=code, shows_life=not is_about_us)


def _in_doubt() -> Outcome:
    return Outcome(
        verdict=Verdict.FAILED,
        error="reply_lost",
        is_doubtful=True,
        shows_life=False,
    )


def _word_for(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "relay_unreachable"


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """Leave politely; how the relay answers changes nothing any more."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, ValueError):
        await client.quit(timeout=_QUIT_SECONDS)
