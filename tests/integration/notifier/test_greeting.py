"""Asking a relay whether it would take mail, without sending one."""

from datetime import timedelta

import pytest

from notifier.smtp import MailSender, Relay
from tests.integration.notifier.relay import HANG_UP, ScriptedRelay


async def _greet(relay: ScriptedRelay, *, login: str | None = None) -> str | None:
    place = Relay(
        host="127.0.0.1",
        port=relay.port,
        security="none",
        username=login,
        password=login and "secret",
    )
    limit = timedelta(seconds=0.5)
    return await MailSender(place, our_name="here", time_limit=limit).greet()


async def test_a_relay_that_would_take_mail_gets_none(relay: ScriptedRelay) -> None:
    assert await _greet(relay) is None
    assert (relay.mails, relay.receivers) == ([], [])


@pytest.mark.parametrize(
    ("verb", "says", "word"),
    [
        ("", b"421 too busy\r\n", "relay_refused_us"),
        ("", None, "timeout"),
        ("EHLO", HANG_UP, "relay_unreachable"),
    ],
)
async def test_a_relay_that_would_not_is_told_by_a_word(
    relay: ScriptedRelay, verb: str, says: bytes | None, word: str
) -> None:
    relay.says[verb] = says
    assert await _greet(relay) == word


async def test_a_login_that_is_refused_is_found_before_a_mail_is(
    relay: ScriptedRelay,
) -> None:
    relay.says["EHLO"] = b"250-relay\r\n250 AUTH PLAIN\r\n"
    relay.says["AUTH"] = b"535 wrong password\r\n"
    assert await _greet(relay, login="precis") == "relay_refused_us"
