"""How long a text is, in tokens of the model that will read it.

Gateway and workers choose alike: the embedded engine's rule is ours, a server with
/tokenize is asked, and for any other an estimate counts upwards. Pools, prompts and
budgets are left to the callers.
"""

from collections.abc import Callable, Sequence
from typing import Final

from jobs.summarizing.tokens import count_tokens, estimate_tokens, is_cut
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import ServedModel
from plumbing.engine_errors import EngineError

EMBEDDED_OWNER: Final = "precis"
_MAX_ASKED: Final = 100_000  # code points; a book would keep the engine from its work


class TokenCounter:
    """Counts for one served model.

    `count_now` asks nobody: exact for the embedded engine, never too low for the
    others by its own measure. `verify_exact` says that `count` knows better, so what
    was planned with `count_now` may be checked with it.
    """

    def __init__(self, served: ServedModel, clients: Sequence[EngineClient]) -> None:
        is_embedded = served.owned_by == EMBEDDED_OWNER
        self._model = served.name
        self._clients = tuple(clients)
        self.count_now: Callable[[str], int] = (
            count_tokens if is_embedded else estimate_tokens
        )
        self.verify_exact = served.has_tokenizer and not is_embedded

    async def count(self, text: str) -> int:
        """Count as exactly as may be; the engine's silence costs precision only."""
        if self.verify_exact and len(text) <= _MAX_ASKED:
            for client in self._clients:
                counted = await self._ask(client, text)
                if counted is not None:
                    return counted
        return self.count_now(text)

    async def _ask(self, client: EngineClient, text: str) -> int | None:
        try:
            return await client.tokenize(self._model, text)
        except EngineError:
            return None


def prompt_was_cut(
    prompt: str, prompt_tokens: int | None, *, served: ServedModel
) -> bool:
    """Whether the engine's own count shows that it read less than the prompt.

    A server that does not say how much it read gets the benefit of the doubt.
    """
    if prompt_tokens is None:
        return False
    if served.owned_by == EMBEDDED_OWNER:
        return prompt_tokens < count_tokens(prompt)
    return is_cut(prompt, prompt_tokens)
