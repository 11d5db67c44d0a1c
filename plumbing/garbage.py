"""Python's cycle collector, set for servers: long-lived objects are looked at once.

By default it walks everything that libraries made at their import again and again
while requests are served. What stands when a process is ready stays until its end, and
most of what a request makes is freed without the collector.
"""

import gc
from typing import Final

# New containers before the youngest are looked at; the default is 700.
_YOUNG: Final = 20_000


def calm_garbage_collector() -> None:
    """Call once, when the process is built up and before it serves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
