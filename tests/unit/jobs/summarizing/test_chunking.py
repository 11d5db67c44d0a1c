import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.summarizing.chunking import ChunkSpan, plan_chunks
from jobs.summarizing.tokens import count_tokens, estimate_tokens

PROSE = ["Word ", "A sentence. ", "Dr. ", "a,b; c", "你好。", "“引。”", "\n", "\n\n"]
HEADINGS = ["# Title\n", "TITLE\n\n", "1.2 Part\n", "Name\n====\n"]
ODD = [
    "\r\n",
    "\r",
    "\u2028",
    "e\u0301\u0302",
    "😀",
    "\ud83d",
    "\ude00",
    "\u3164",
    "\0",
]
LONG = ["x" * 90, " " * 70]
SHAPES = st.lists(st.sampled_from([*PROSE, *HEADINGS, *ODD, *LONG]), max_size=40).map(
    "".join
)
COUNTS = st.sampled_from([count_tokens, estimate_tokens, len])


@given(SHAPES | st.text(), st.integers(1, 60), COUNTS)
def test_chunks_are_the_whole_text_in_order_within_the_budget(
    text: str, budget: int, count: Callable[[str], int]
) -> None:
    spans = plan_chunks(text, budget=budget, count=count)
    assert [span.index for span in spans] == list(range(len(spans)))
    assert [span.start for span in spans] == [0, *(span.end for span in spans)][
        : len(spans)
    ]
    assert "".join(text[span.start : span.end] for span in spans) == text
    for span in spans:
        assert span.start < span.end
        assert span.tokens == count(text[span.start : span.end])
        assert span.tokens <= budget or span.end - span.start == 1
    assert plan_chunks(text, budget=budget, count=count) == spans


def parts(text: str, budget: int) -> list[str]:
    spans = plan_chunks(text, budget=budget, count=count_tokens)
    return [text[span.start : span.end] for span in spans]


def test_a_text_within_the_budget_is_one_chunk() -> None:
    assert plan_chunks("One. Two.", budget=10, count=count_tokens) == (
        ChunkSpan(index=0, start=0, end=9, tokens=3),
    )


def test_no_text_has_no_chunks_and_no_budget_is_refused() -> None:
    assert plan_chunks("", budget=5, count=len) == ()
    with pytest.raises(ValueError, match="budget"):
        plan_chunks("a", budget=0, count=len)


SECTION = "It has a sentence of some length. And there comes another one. " * 6


@pytest.mark.parametrize(
    "heading",
    ["## Part", "Part\n====", "PART", "2.1 Part of it", "Chapter two", "第二章 其他"],
    ids=["markdown", "underlined", "capitals", "numbered", "chapter", "chinese"],
)
def test_a_cut_falls_before_a_heading(heading: str) -> None:
    text = f"{SECTION}\n\n{SECTION}\n\n{heading}\n\n{SECTION}\n\n{SECTION}"
    assert parts(text, 250)[1].startswith(heading)


def test_a_cut_falls_between_paragraphs_rather_than_sentences() -> None:
    text = f"{SECTION}\n\n{SECTION}\n\n{SECTION}\n\n{SECTION}"
    assert all(part.startswith("It has") for part in parts(text, 240))


def test_without_paragraphs_chunks_end_with_a_sentence() -> None:
    assert all(part.rstrip().endswith(".") for part in parts(SECTION * 9, 90))
    assert all(part.endswith("。") for part in parts("今天的天气很好。" * 300, 100))


def test_without_sentences_chunks_end_with_a_word() -> None:
    assert all(part.endswith("word ") for part in parts("word " * 2_000, 100))


def test_a_hard_cut_keeps_a_letter_with_its_marks() -> None:
    assert all(part.startswith("e") for part in parts("e\u0301\u0302" * 900, 50))


def test_the_last_chunk_is_no_crumb() -> None:
    sizes = [count_tokens(part) for part in parts(SECTION * 40, 1_000)]
    assert min(sizes) > 0.6 * max(sizes)


SLOW_ELSEWHERE = {
    "quotes": "“你好。" * 30_000,
    "sentences": "Ab. " * 50_000,
    "capitals": "AB\n\n" * 40_000,
    "run": "x" * 1_000_000,
    "headings": "# a\n" * 50_000,
    "zalgo": "e" + "\u0301" * 200_000,
    "spaces": " " * 1_000_000,
    "lines": "\n" * 100_000,
    "numbers": "1. " * 50_000,
}


@pytest.mark.parametrize("shape", SLOW_ELSEWHERE)
def test_no_shape_of_text_is_slow(shape: str) -> None:
    began = time.process_time()
    plan_chunks(SLOW_ELSEWHERE[shape], budget=3_500, count=count_tokens)
    assert time.process_time() - began < 1


def test_a_long_line_of_words_is_not_cut_inside_one() -> None:
    assert all(part.endswith("sevenly ") for part in parts("sevenly " * 2_000, 900))
