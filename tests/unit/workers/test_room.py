"""How much the dispatcher hands over."""

import pytest

from jobs.batch_load import BatchLoad
from jobs.messages.hint import MAX_JOBS_PER_MESSAGE
from workers.dispatcher.room import find_room, message_size


def _load(*, slots: int, running: int) -> BatchLoad:
    return BatchLoad(workers=1, slots=slots, running=running, due=1)


@pytest.mark.parametrize(
    ("slots", "running", "waiting", "room"),
    [
        (128, 0, 0, 128),
        (128, 100, 0, 28),
        (128, 0, 1, 128 - MAX_JOBS_PER_MESSAGE),
        (128, 128, 4, 0),
        (0, 0, 0, 0),
    ],
)
def test_room_is_what_is_free_less_what_waiting_messages_may_take(
    slots: int, running: int, waiting: int, room: int
) -> None:
    load = _load(slots=slots, running=running)
    assert find_room(load, waiting_messages=waiting) == room


@pytest.mark.parametrize(
    ("count", "workers", "size"),
    [(1, 1, 1), (8, 2, 4), (128, 1, 32), (10_000, 1, 32), (64, 4, 16), (5, 0, 5)],
)
def test_few_hints_spread_and_many_pack(count: int, workers: int, size: int) -> None:
    assert message_size(count, workers=workers) == size
