"""Why a cell of the fault matrix has no test here: data, one reason for each cell.

Either the fault cannot be produced on one machine, or it means nothing for the
component. A cell that has a test must not stand here; the architecture tests look.
"""

from typing import Final

_NO_LIMITER: Final = (
    "no such component: limits are counted in Postgres and in the gateway itself"
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
    ("node", ""): "needs more than one machine",
    ("customer_endpoint", "disk"): "a receiver's disk is the receiver's own affair",
}
