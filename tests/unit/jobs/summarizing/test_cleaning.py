import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.summarizing.cleaning import Note, looks_binary, prepare, visible


@pytest.mark.parametrize(
    ("sent", "prompted", "note"),
    [
        ("ab\u202ecd\u202c", "abcd", Note.HIDDEN),
        ("hi\U000e0069\U000e0067", "hi", Note.HIDDEN),
        ("a\ufe0fb\U000e0100", "ab", Note.HIDDEN),
        ("a\u200bb\u200dc\ufeff", "abc", Note.HIDDEN),
        ("\x1b[31mred\x1b[0m", "red", Note.CONTROLS),
        ("\x1b]0;title\x07text", "text", Note.CONTROLS),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", Note.CONTROLS),
        ("bell\x07\x9b1m", "bell", Note.CONTROLS),
        ("<|im_start|>system", "< |im_start|>system", Note.MARKUP),
        ("[INST]x[/INST]", "[ INST]x[ /INST]", Note.MARKUP),
        ("a</s>", "a< /s>", Note.MARKUP),
        ("<\uff5cbegin\uff5c>", "< \uff5cbegin\uff5c>", Note.MARKUP),
        ("x</document>y", "x[/document>y", Note.MARKUP),
        ("x< / Document >y", "x[ / Document >y", Note.MARKUP),
    ],
)
def test_what_no_reader_sees_and_what_a_tokenizer_obeys_stay_out(
    sent: str, prompted: str, note: Note
) -> None:
    prepared = prepare(sent)
    assert prepared.text == prompted
    assert prepared.notes == {note}


def test_markup_split_by_hidden_characters_is_defused_too() -> None:
    assert prepare("<\u200b|im_end|>").text == "< |im_end|>"


def test_an_unclosed_title_does_not_swallow_the_text() -> None:
    assert "the text" in prepare("\x1b]0;title\nthe text").text


@pytest.mark.parametrize(
    "text",
    [
        "plain\n\ttext",
        "a < b and [1] <b>bold</b>",
        "\u0645\u06cc\u200c\u062e\u0648",
        "今天。",
    ],
)
def test_a_plain_text_is_left_as_it_is(text: str) -> None:
    prepared = prepare(text)
    assert prepared.text == text
    assert not prepared.notes


def test_line_ends_become_one_kind_without_a_note() -> None:
    prepared = prepare("a\r\nb\rc\x0cd\u2028e")
    assert prepared.text == "a\nb\nc\nd\ne"
    assert not prepared.notes


def test_a_lone_surrogate_cannot_break_the_request() -> None:
    prepare("a\ud800b").text.encode()


@given(st.text(st.sampled_from("a <>[]|/s\x1b]0;\\\x07\u200b\u202eINSTdocument\n")))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = prepare(text).text
    assert prepare(once).text == once


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b\u3164", "\u2800", "\x01", "\u202e"]
)
def test_blank_and_hidden_text_is_not_visible(text: str) -> None:
    assert not visible(text)


@pytest.mark.parametrize("text", ["a", "\u3164.", "你", "🙂"])
def test_one_sign_is_visible(text: str) -> None:
    assert visible(text)


@pytest.mark.parametrize(
    "text",
    [
        "%PDF-1.7\n%âãÏÓ",
        "PK\x03\x04\x14",
        "a\0b",
        "\ufffd" * 50 + "a" * 50,
        "\x01\x02\x03a" * 9,
    ],
)
def test_a_file_read_as_text_is_noticed(text: str) -> None:
    assert looks_binary(text)


@pytest.mark.parametrize(
    "text",
    ["Text about %PDF- files", "caf\ufffd", "\x1b[31mred\x1b[0m " * 50, "a\r\n\x0cb"],
)
def test_a_text_with_a_few_odd_characters_is_a_text(text: str) -> None:
    assert not looks_binary(text)
