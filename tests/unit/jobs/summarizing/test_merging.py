import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.summarizing.merging import MergeImpossible, plan_merge


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(104, 500))
def test_groups_are_neighbours_that_fit_and_become_fewer(
    tokens: list[int], budget: int
) -> None:
    groups = plan_merge(tokens, budget=budget)
    assert [index for group in groups for index in group] == list(range(len(tokens)))
    assert all(sum(tokens[index] for index in group) <= budget for group in groups)
    assert len(groups) < len(tokens) or len(tokens) == 1


def test_what_fits_is_merged_at_once() -> None:
    assert plan_merge([10, 10, 10], budget=40) == (range(3),)


def test_groups_are_even() -> None:
    assert plan_merge([10] * 8, budget=70) == (range(4), range(4, 8))


def test_no_summaries_need_no_merge() -> None:
    assert plan_merge([], budget=10) == ()


@pytest.mark.parametrize("tokens", [[11], [9, 9], [2, 11, 2]])
def test_sections_that_are_too_long_are_refused(tokens: list[int]) -> None:
    with pytest.raises(MergeImpossible):
        plan_merge(tokens, budget=10)
