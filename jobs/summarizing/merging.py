"""Which summaries are merged together, level by level, until one is left.

A plan of one level only: the caller writes the merged summaries, counts them and asks
again. Groups are runs of neighbours, so that a merge reads its parts in the order of
the text. Prompts and counts come from elsewhere.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

_SEPARATOR = 2  # tokens of the blank line between two summaries


class MergeImpossible(ValueError):
    """No two neighbours fit a prompt: the sections were allowed to grow too long."""


def plan_merge(tokens: Sequence[int], *, budget: int) -> tuple[range, ...]:
    """Group summaries of these sizes into runs of indices that each fit the budget.

    One group means: this is the last merge. A level always has fewer groups than the
    one before; a group of one, rare, is handed on as it is. Raises MergeImpossible
    where that cannot be, which sections of at most half the budget rule out.
    """
    if any(size > budget for size in tokens):
        raise MergeImpossible(f"a summary alone exceeds the budget of {budget} tokens")
    sums = list(accumulate((size + _SEPARATOR for size in tokens), initial=0))
    groups = tuple(_groups(sums, budget + _SEPARATOR))
    if 1 < len(tokens) == len(groups):
        raise MergeImpossible(f"no two summaries fit the budget of {budget} tokens")
    return groups


def _groups(sums: Sequence[int], budget: int) -> list[range]:
    groups = []
    first = 0
    while first < len(sums) - 1:
        end = _group_end(sums, first, budget)
        groups.append(range(first, end))
        first = end
    return groups


def _group_end(sums: Sequence[int], first: int, budget: int) -> int:
    """Fill evenly, so that the last group is no crumb."""
    remaining = sums[-1] - sums[first]
    most = bisect_right(sums, sums[first] + budget) - 1
    group_count = max(1, -(-remaining // budget))
    even = bisect_left(sums, sums[first] + remaining / group_count)
    return min(most, max(even, first + 2))
