"""How much of a text its finished chunks cover.

Computed from the stored offsets and never assumed: 1.0 is a receipt that no character
was left out, so it is only said when the union of the spans is the whole text.
"""

from collections.abc import Iterable


def coverage(spans: Iterable[tuple[int, int]], length: int) -> float:
    """Tell the share of [0, length) that lies in the (start, end) spans.

    Spans may overlap and come in any order; what lies outside the text counts nothing.
    """
    if length <= 0:
        return 1.0
    covered = reached = 0
    for start, end in sorted(spans):
        covered += max(0, min(end, length) - max(start, reached))
        reached = max(reached, end)
    # A float may round a missing character of a very long text away.
    return 1.0 if covered == length else min(covered / length, 1 - 2**-53)
