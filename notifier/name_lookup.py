"""Turns a host name into addresses without letting one slow name hold up the others.

The system's resolver blocks, and the loop's own threads for it are few: a name whose
servers never answer would starve all. So each lookup has a daemon thread of its own;
how many there can be follows from how many deliveries are being sent.
"""

import asyncio
import contextlib
import socket
import threading
from ipaddress import ip_address
from typing import Final

from notifier.public_addresses import Address


class NameUnresolved(Exception):
    """The name has no address, or no name server said so in time."""


_THREAD_NAME: Final = "name-lookup"


async def find_addresses(host: str, port: int) -> tuple[Address, ...]:
    """Every address of the host, each once, in the resolver's order of preference."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[Address, ...]] = loop.create_future()

    def look_up() -> None:
        try:
            found = _look_up(host, port)
        except (OSError, ValueError) as error:
            _tell(loop, answer, NameUnresolved(type(error).__name__))
        else:
            _tell(loop, answer, found)

    threading.Thread(target=look_up, name=_THREAD_NAME, daemon=True).start()
    return await answer


def _look_up(host: str, port: int) -> tuple[Address, ...]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A link-local answer carries its zone; no rule allows such an address.
    addresses = (ip_address(str(info[4][0]).partition("%")[0]) for info in infos)
    return tuple(dict.fromkeys(addresses))


def _tell(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[tuple[Address, ...]],
    said: tuple[Address, ...] | NameUnresolved,
) -> None:
    def settle() -> None:
        if answer.done():
            return  # the attempt's time was over first
        if isinstance(said, NameUnresolved):
            answer.set_exception(said)
        else:
            answer.set_result(said)

    # The loop may have ended while the name servers were asked.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
