import pytest

from realtime.engine.extractive.sentences import split_sentences
from realtime.engine.extractive.terms import count_terms
from tests.unit.realtime.engine.gold import CHINESE, ENGLISH


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("sentences", "glue"), [(ENGLISH, " "), (CHINESE, "")], ids=["english", "chinese"]
)
def test_prose_is_cut_at_its_sentences(sentences: tuple[str, ...], glue: str) -> None:
    assert texts(glue.join(sentences)) == list(sentences)


def test_abbreviations_and_decimals_do_not_end_a_sentence() -> None:
    text = "Dr. Olsen measured 4.2 metres at the U.S. pier. The work went on."
    assert texts(text) == [
        "Dr. Olsen measured 4.2 metres at the U.S. pier.",
        "The work went on.",
    ]


def test_a_heading_is_no_part_of_the_sentence_after_it() -> None:
    assert texts("# The harbour\nThe barrier is closed today.") == [
        "The harbour",
        "The barrier is closed today.",
    ]


def test_headings_rows_and_lines_of_code_are_no_prose() -> None:
    text = (
        "# Costs\n\n| a | b |\n| 1 | 2 |\n\nreturn x + 1\n\nIt costs two million euros."
    )
    prose = [sentence.text for sentence in split_sentences(text) if sentence.is_prose]
    assert prose == ["It costs two million euros."]


def test_rows_of_a_table_are_pieces_of_their_own() -> None:
    assert len(texts("| a | 1 |\n| b | 2 |\n| c | 3 |")) == 3


def test_nothing_visible_is_lost_of_a_text_without_sentence_ends() -> None:
    words = [f"word{at}" for at in range(2000)]
    assert " ".join(texts(" ".join(words))).split() == words


def test_plural_and_singular_are_one_term_and_grammar_is_none() -> None:
    assert count_terms("The pass is on the bus") == {"pass": 1, "bus": 1}
    assert count_terms("barriers barrier") == {"barrier": 2}


def test_chinese_terms_are_pairs_without_grammar() -> None:
    assert count_terms("水管的更换") == {"水管": 1, "更换": 1}
