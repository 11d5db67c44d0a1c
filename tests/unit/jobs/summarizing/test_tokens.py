import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.summarizing.tokens import count_tokens, estimate_tokens, is_cut

ENGLISH = (
    "The city council voted on Tuesday to replace its entire diesel bus fleet with "
    "electric buses by 2030. The decision follows a two-year trial on three routes. "
)
CHINESE = "市议会周二投票决定,到2030年将全部柴油公交车更换为电动公交车。"

# Counted with two byte-level vocabularies, of 65,000 and 131,000 pieces.
COUNTED = [
    pytest.param(ENGLISH * 3, 97, 103, id="english"),
    pytest.param("THE CITY COUNCIL VOTED ON TUESDAY TO REPLACE", 18, 19, id="capitals"),
    pytest.param(
        "สภาเมืองลงมติเมื่อวันอังคารให้เปลี่ยนรถโดยสารดีเซลทั้งหมดเป็นรถไฟฟ้าภายในปี",
        39,
        135,
        id="thai",
    ),
    pytest.param("😀🎉👨‍👩‍👧‍👦🇩🇪🔥👍🏽🧑‍🚀" * 5, 195, 280, id="emoji"),
    pytest.param("3.14159 2718281828 1,000,000 " * 30, 421, 870, id="figures"),
]


def test_the_rule_counts_a_quarter_for_latin_and_one_for_chinese() -> None:
    assert count_tokens("word " * 8) == 10
    assert count_tokens("今天天气很好") == 6
    assert count_tokens("😀") == 2


def test_nothing_has_no_tokens_and_anything_has_one() -> None:
    assert count_tokens("") == 0
    assert all(count_tokens(text) == 1 for text in ("a", "你", " ", "\ud800"))


def test_a_run_without_spaces_counts_double() -> None:
    assert count_tokens("a" * 1_000) == 500


@given(st.text(), st.text())
def test_parts_add_up_to_the_whole_but_for_the_cut(left: str, right: str) -> None:
    apart = count_tokens(left) + count_tokens(right)
    assert abs(apart - count_tokens(left + right)) <= 14


@given(st.text())
def test_the_bounds_never_cross(text: str) -> None:
    estimate = estimate_tokens(text)
    assert not is_cut(text, estimate)
    assert estimate <= 4 * len(text.encode("utf-8", "surrogatepass")) + 1


def test_short_words_are_not_taken_for_a_prompt_that_was_cut() -> None:
    text = "a b c d e f g h " * 100
    assert not is_cut(text, count_tokens(text))


@pytest.mark.parametrize(
    "text", ["a plain sentence of words " * 40, "一段很长的文字" * 40]
)
def test_a_tenth_of_a_prompt_is_a_prompt_that_was_cut(text: str) -> None:
    assert is_cut(text, count_tokens(text) // 10)


@pytest.mark.parametrize(("text", "fewest", "most"), COUNTED)
def test_true_counts_lie_between_the_bounds(text: str, fewest: int, most: int) -> None:
    assert not is_cut(text, fewest)
    assert estimate_tokens(text) >= most


FIVE_MILLION = {
    "english": ENGLISH * 32_000,
    "chinese": CHINESE * 150_000,
    "mixed": "a你" * 2_500_000,
    "run": "x" * 5_000_000,
    "signs": "!1" * 2_500_000,
}


@pytest.mark.parametrize("kind", FIVE_MILLION)
def test_five_million_characters_are_counted_at_once(kind: str) -> None:
    began = time.process_time()
    count_tokens(FIVE_MILLION[kind])
    assert time.process_time() - began < 1
