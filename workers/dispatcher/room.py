"""How many more jobs the batch tier can take: pure arithmetic over what was read.

A waiting message counts as the most jobs that a message can ask for, so that Valkey
never holds more work than there is room, and the backlog stays in Kafka.
"""

from jobs.batch_load import BatchLoad
from jobs.messages.hint import MAX_JOBS_PER_MESSAGE


def find_room(load: BatchLoad, *, waiting_messages: int) -> int:
    """Free slots, less those that waiting messages may take."""
    return max(0, load.slots - load.running - waiting_messages * MAX_JOBS_PER_MESSAGE)


def message_size(count: int, *, workers: int) -> int:
    """How many jobs one message asks for: one message a worker, or several full ones.

    A Celery message costs as much as a whole job, so few carry many.
    """
    share = -(-count // max(1, workers))
    return min(MAX_JOBS_PER_MESSAGE, max(1, share))
