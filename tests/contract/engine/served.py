"""What the contract tests ask of an engine: protocol, never words.

The same requests suit a model whose words are noise, so `ignore_eos` makes vLLM
generate until max_tokens; the embedded engine has no use for it.
"""

from dataclasses import dataclass
from typing import Any

STORY = (
    "The harbour flood barrier will be rebuilt after the storm surge of last winter "
    "overtopped it three times in a single week of heavy weather. "
    "Engineers found that the old barrier is 60 centimetres too low for the surges "
    "that are now expected to come once in every ten years. "
    "The city will pay 85 million euros for the new flood barrier, and the state "
    "will pay the other half of the cost of the work."
)


@dataclass(frozen=True)
class Served:
    """The model behind the URL, as its own list names it."""

    model: str
    context: int

    def chat(self, content: Any = STORY, **fields: Any) -> dict[str, Any]:
        messages = [
            {"role": "system", "content": "You write a summary of the text."},
            {"role": "user", "content": content},
        ]
        asked = {"model": self.model, "messages": messages, "max_tokens": 24}
        return asked | {"temperature": 0} | fields
