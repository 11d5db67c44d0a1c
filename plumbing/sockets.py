"""What can be learned of, and done to, a Postgres connection by its socket alone.

Needs no word from the server, so it works with one that says nothing. Which connection
is looked at, and when, is `database`'s.
"""

import os
import select
import socket
from contextlib import suppress
from typing import Any, Final

import psycopg

Connection = psycopg.AsyncConnection[Any]

_AT_ONCE: Final = 0
_MOST_MESSAGES: Final = 3


def hang_up(connection: Connection) -> None:
    """End the connection under whoever waits for its answer, which ends the wait."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def has_ended(connection: Connection) -> bool:
    """Whether the server has closed a connection that rests.

    A server that stops says so first; a changed parameter is said on a connection that
    lives on. So what has come is taken in until there is nothing more, or the end.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    for _ in range(_MOST_MESSAGES):
        if not waiting.poll(_AT_ONCE):
            return False
        try:
            connection.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
    return True
