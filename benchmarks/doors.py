"""The HTTP servers that are compared, each alone on its core, and the load on them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.children import CLIENT_CORE, SERVER_CORE, bound
from benchmarks.surroundings import Bench
from benchmarks.texts import short_texts

OURS: Final = "precis gateway"
PATH: Final = "/v1/summaries"


@dataclass(frozen=True)
class Door:
    port: int
    pid: int


@asynccontextmanager
async def open_door(bench: Bench, peer: Sequence[str] | None) -> AsyncIterator[Door]:
    """Start the gateway, or a peer given as module and arguments."""
    port = bench.ports["peer" if peer else "gateway"]
    module, *arguments = (peer[0], str(port), *peer[1:]) if peer else ("gateway",)
    with (
        bound(bench.ready.pids.values(), core=CLIENT_CORE),
        bench.children.start(module, *arguments, core=SERVER_CORE) as door,
    ):
        await door.ready(port, path=None if peer else "/readyz")
        yield Door(port, door.pid)
        door.require(succeeded=True)


async def load(
    bench: Bench,
    port: int,
    *,
    tier: str,
    connections: int,
    seconds: float,
    warm_up: float,
    status: int,
    path: str = PATH,
) -> dict[str, Any]:
    """Press as hard as the connections can; any other status fails the benchmark."""
    (text,) = short_texts(1)
    answer = await bench.children.ask(
        "benchmarks.load_client",
        {
            "port": port,
            "path": path,
            "headers": {"Authorization": f"Bearer {bench.api_key}"},
            "body": {"text": text, "tier": tier},
            "connections": connections,
            "seconds": seconds,
            "warm_up": warm_up,
        },
        core=CLIENT_CORE,
    )
    assert set(answer["statuses"]) == {str(status)}, answer["statuses"]
    return answer
