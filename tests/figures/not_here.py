"""Why a cell of the fault matrix has no test here: data, one reason for each cell.

Either the fault cannot be produced on one machine, or it means nothing for the
component. A cell that has a test must not stand here; the architecture tests look.
"""

from typing import Final

_NO_LIMITER: Final = (
    "no such component: limits are counted in Postgres and in the gateway itself"
)
_NO_CHILD: Final = (
    "a worker's tasks are threads of one process: none of them can fail alone"
)
_ENGINES_DISK: Final = (
    "the embedded engine writes no file; a model server without room does not start"
)
_ONE_QUESTION: Final = (
    "the resolver is asked one question: it answers, fails, is slow or lies"
)

NOT_HERE: Final[dict[tuple[str, str], str]] = {
    ("gateway", "garb"): "a gateway asks nobody for content but engines and Postgres",
    ("limits", "k9"): _NO_LIMITER,
    ("limits", "term"): _NO_LIMITER,
    ("limits", "stop"): _NO_LIMITER,
    ("limits", "rst"): _NO_LIMITER,
    ("limits", "net"): _NO_LIMITER,
    ("limits", "disk"): _NO_LIMITER,
    ("limits", "slow"): _NO_LIMITER,
    ("limits", "garb"): _NO_LIMITER,
    **{
        ("child", column): _NO_CHILD
        for column in ("k9", "term", "stop", "rst", "net", "disk", "slow", "garb")
    },
    ("engine_realtime", "disk"): _ENGINES_DISK,
    ("engine_batch", "disk"): _ENGINES_DISK,
    (
        "notifier",
        "garb",
    ): "it reads nothing but answers: see the rows of who gives them",
    **{
        ("dns", column): _ONE_QUESTION
        for column in ("term", "stop", "rst", "net", "disk")
    },
    ("node", ""): "needs more than one machine",
    ("customer_endpoint", "disk"): "a receiver's disk is the receiver's own affair",
}
