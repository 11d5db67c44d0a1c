"""Which rule counts the tokens of which model, and when a prompt shows to be cut."""

import pytest

from jobs.counting import TokenCounter, prompt_was_cut
from jobs.summarizing.tokens import count_tokens, estimate_tokens
from plumbing.engine_discovery import ServedModel

TEXT = "The council voted for new buses on Tuesday, 21 November 2026."


def served(owned_by: str, *, has_tokenizer: bool = True) -> ServedModel:
    return ServedModel(
        name="m", context=4096, owned_by=owned_by, has_tokenizer=has_tokenizer
    )


async def test_the_embedded_engine_is_counted_by_its_own_rule_without_asking() -> None:
    counter = TokenCounter(served("precis"), [])
    assert counter.count_now is count_tokens
    assert not counter.verify_exact
    assert await counter.count(TEXT) == count_tokens(TEXT)


async def test_a_server_that_cannot_be_asked_is_estimated() -> None:
    counter = TokenCounter(served("ollama", has_tokenizer=False), [])
    assert not counter.verify_exact
    assert await counter.count(TEXT) == estimate_tokens(TEXT)


def test_a_server_with_a_tokenizer_knows_better_than_the_estimate() -> None:
    assert TokenCounter(served("vllm"), []).verify_exact


@pytest.mark.parametrize(
    ("owner", "counted"),
    [("precis", count_tokens(TEXT)), ("vllm", 20), ("vllm", None)],
)
def test_a_possible_count_is_believed(owner: str, counted: int | None) -> None:
    assert not prompt_was_cut(TEXT, counted, served=served(owner))


@pytest.mark.parametrize(
    ("owner", "counted"), [("precis", count_tokens(TEXT) - 1), ("vllm", 5)]
)
def test_a_count_below_any_possible_one_shows_a_cut(owner: str, counted: int) -> None:
    assert prompt_was_cut(TEXT, counted, served=served(owner))
