"""What the engines of a pool serve, found out once at the start of a process.

A pool answers with one model: engines that disagree are refused here, before a
summary depends on which of them was asked. Engines that are away are left out; when
one comes back with another model, the pool's probes find it out.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plumbing.engine_client import EngineClient, EngineModel
from plumbing.engine_errors import EngineUnavailable, ModelUnclear

_CONTEXT_UNKNOWN: Final = 4096  # what small servers run with when nobody says more


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    name: str
    context: int
    """Tokens of prompt and answer together."""
    owned_by: str
    has_tokenizer: bool


async def discover(
    clients: Sequence[EngineClient], *, model: str | None, context: int | None
) -> ServedModel:
    """Ask all engines what they serve and settle on one model.

    Raises EngineUnavailable when none answers, ModelUnclear when they disagree.
    """
    listings = await _list_models(clients)
    entries = [
        _choose(client, listing, model=model) for client, listing in listings.items()
    ]
    names = sorted({entry.id for entry in entries})
    if len(names) > 1:
        raise ModelUnclear(f"the engines serve different models: {', '.join(names)}")
    counts = await asyncio.gather(*(each.tokenize(names[0], "a") for each in listings))
    return ServedModel(
        name=names[0],
        context=_settle_context(entries, context),
        owned_by=entries[0].owned_by,
        has_tokenizer=all(count is not None for count in counts),
    )


async def _list_models(
    clients: Sequence[EngineClient],
) -> dict[EngineClient, list[EngineModel]]:
    answers = await asyncio.gather(
        *(client.models() for client in clients), return_exceptions=True
    )
    listings: dict[EngineClient, list[EngineModel]] = {}
    for client, answer in zip(clients, answers, strict=True):
        if isinstance(answer, list):
            listings[client] = answer
        elif not isinstance(answer, EngineUnavailable):
            raise answer
    if not listings:
        raise EngineUnavailable("no engine lists its models", was_reached=False)
    return listings


def _choose(
    client: EngineClient, listing: Sequence[EngineModel], *, model: str | None
) -> EngineModel:
    fitting = [entry for entry in listing if model in {None, entry.id}]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(entry.id for entry in listing) or "none"
    raise ModelUnclear(
        f"{client.name} lists the models: {listed}; name one in PRECIS_ENGINE_MODEL"
    )


def _settle_context(entries: Sequence[EngineModel], asked: int | None) -> int:
    """Take the smallest that anyone names, so that no engine refuses a prompt."""
    known = [entry.max_model_len for entry in entries if entry.max_model_len]
    return min([*known, asked] if asked else known, default=_CONTEXT_UNKNOWN)
