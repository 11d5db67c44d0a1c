"""Which form of a result the `Accept` header asks for: JSON unless Markdown is liked more.

Pure. Whoever asks for something that we do not have gets JSON, which says what it is;
a refusal would help nobody.
"""

from typing import Final

_MARKDOWN: Final = {"text/markdown": 3, "text/*": 2, "*/*": 1}
_JSON: Final = {"application/json": 3, "application/*": 2, "*/*": 1}


def wants_markdown(accept: str | None) -> bool:
    """Whether Markdown is named with a higher weight than JSON."""
    if accept is None:
        return False
    ranges = [_read_range(part) for part in accept.split(",")]
    return _weight(ranges, _MARKDOWN) > _weight(ranges, _JSON)


def _read_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
    try:
        weight = float(weights[0]) if weights else 1.0
    except ValueError:
        weight = 0.0
    return name, weight


def _weight(ranges: list[tuple[str, float]], known: dict[str, int]) -> float:
    """The weight of the most exact range that covers the form."""
    covering = [(known[name], weight) for name, weight in ranges if name in known]
    return max(covering, default=(0, 0.0))[1]
