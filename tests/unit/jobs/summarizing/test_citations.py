import pydoc_data.topics
import time

import pytest

from jobs.summarizing.citations import Citation, cite

SOURCE = (
    "The council met on Tuesday.  It voted to buy 120 electric buses\nby 2030. A baker "
    "handed out free rolls.\n\nThe plan costs 240 million dollars over seven years. "
    "Opponents wanted to wait for cheaper batteries."
)


def cited(summary: str, source: str, citation: Citation) -> tuple[str, str]:
    return (
        summary[citation.sentence_start : citation.sentence_end],
        source[citation.source_start : citation.source_end],
    )


def test_a_sentence_taken_over_points_to_itself() -> None:
    summary = "Short. The plan costs 240 million dollars over seven years. "
    (citation,) = cite(summary, SOURCE)
    claim, support = cited(summary, SOURCE, citation)
    assert claim == support == "The plan costs 240 million dollars over seven years."
    assert citation.sentence_index == 1
    assert citation.score == 1.0


def test_a_reworded_sentence_points_to_its_support() -> None:
    summary = "Some opponents would rather wait until batteries are cheaper."
    (citation,) = cite(summary, SOURCE)
    assert cited(summary, SOURCE, citation)[1].startswith("Opponents wanted")
    assert 0.3 < citation.score < 1


def test_a_wrapped_sentence_is_found() -> None:
    (citation,) = cite("It voted to buy 120 electric buses by 2030.", SOURCE)
    assert SOURCE[citation.source_start : citation.source_end].startswith("It voted")


def test_chinese_is_cited() -> None:
    source = "天气很好。市议会周二投票决定购买一百二十辆电动公交车。面包店发放面包。"
    summary = "市议会投票决定购买电动公交车。"
    (citation,) = cite(summary, source)
    assert cited(summary, source, citation)[1] == source[5:27]


@pytest.mark.parametrize(
    "summary", ["", "Yes.", "Bananas are yellow and sweet in the summer sun.", "!!!"]
)
def test_nothing_is_cited_without_support(summary: str) -> None:
    assert cite(summary, SOURCE) == ()


def test_an_empty_source_supports_nothing() -> None:
    assert cite("The plan costs 240 million dollars.", "") == ()


def test_offsets_count_from_the_text_as_sent() -> None:
    summary = "Opponents wanted to wait for cheaper batteries."
    (citation,) = cite(summary, SOURCE[30:], base_offset=30)
    assert cited(summary, SOURCE, citation) == (summary, summary)


def test_the_number_of_citations_is_limited() -> None:
    assert len(cite(SOURCE, SOURCE, limit=2)) == 2


def test_a_book_is_searched_at_once() -> None:
    book = "\n\n".join(pydoc_data.topics.topics.values())
    summary = " ".join(
        f"Objects of kind {n} support the binary arithmetic operations, and statement "
        f"number {n} may raise an exception in the function that defines the class."
        for n in range(30)
    )
    began = time.process_time()
    cite(summary, book)
    assert time.process_time() - began < 1
