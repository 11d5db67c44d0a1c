"""The JSON that vLLM's server would send, made from what the engine answered.

Shapes only: which answer is sent when is decided in `web`.
"""

import json
from collections.abc import Iterator
from typing import Any

from realtime.engine.embedded import Answer

# A stream sends its text in pieces of this many code points, as a model would in tokens.
_PIECE_LENGTH = 32

_Body = dict[str, Any]


def completion(answer: Answer, *, answer_id: str, model: str, created: int) -> _Body:
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(answer.finish_reason, message=message)],
        "usage": _usage(answer),
    }


def stream(
    answer: Answer, *, answer_id: str, model: str, created: int, with_usage: bool
) -> Iterator[str]:
    """Yield server-sent events: the role, the text, the end, the usage, [DONE]."""
    frame = {
        "id": answer_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
    }
    for choice in _stream_choices(answer):
        yield _event(frame | {"choices": [choice]})
    if with_usage:
        yield _event(frame | {"choices": [], "usage": _usage(answer)})
    yield "data: [DONE]\n\n"


def models(model: str, *, context: int, created: int) -> _Body:
    card = {
        "id": model,
        "object": "model",
        "created": created,
        "owned_by": "precis",
        "root": model,
        "parent": None,
        "max_model_len": context,
    }
    return {"object": "list", "data": [card]}


def tokenization(count: int, *, context: int) -> _Body:
    """Number the tokens through: the rule that counts them has no vocabulary."""
    return {
        "count": count,
        "max_model_len": context,
        "tokens": list(range(count)),
        "token_strs": None,
    }


def _stream_choices(answer: Answer) -> Iterator[_Body]:
    yield _choice(None, delta={"role": "assistant", "content": ""})
    for at in range(0, len(answer.text), _PIECE_LENGTH):
        yield _choice(None, delta={"content": answer.text[at : at + _PIECE_LENGTH]})
    yield _choice(answer.finish_reason, delta={"content": ""})


def _choice(finish_reason: str | None, **said: _Body) -> _Body:
    return {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}


def _usage(answer: Answer) -> _Body:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.prompt_tokens + answer.tokens,
    }


def _event(body: _Body) -> str:
    return f"data: {json.dumps(body)}\n\n"
