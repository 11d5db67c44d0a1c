"""What goes into Kafka and comes out of it, in types that are ours.

Apart from the client, so that whoever only reads or writes records, or wants to know
that Kafka is away, loads no Kafka library.
"""

from dataclasses import dataclass


class KafkaUnavailable(Exception):
    """Kafka could not be asked, or refused; the message is the error's class."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record to be sent; records of one key stay in their order."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A record as it lies in its partition; anybody may have written it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
