import pytest

from jobs.summarizing.checks import Defect, OutputUnusable, check_output
from jobs.summarizing.prompts import summary_prompt

SOURCE = " ".join(
    f"Report {n} of the council says that {n * 7} buses were bought for route {n * 3}."
    for n in range(60)
)
CHINESE = "".join(
    f"第{n}项报告说市议会购买了{n * 7}辆新的电动公交车。" for n in range(60)
)
SUMMARY = (
    "The council bought electric buses for its routes and reported on each of them."
)


def defect_of(
    output: str,
    *,
    source: str = SOURCE,
    finish_reason: str | None = "stop",
    max_tokens: int = 244,
    words: int = 60,
) -> Defect | None:
    try:
        check_output(
            output,
            source=source,
            finish_reason=finish_reason,
            max_tokens=max_tokens,
            words=words,
        )
    except OutputUnusable as unusable:
        return unusable.code
    return None


@pytest.mark.parametrize(
    ("output", "defect"),
    [
        ("", Defect.EMPTY),
        (" \n\u200b", Defect.EMPTY),
        (summary_prompt("x", 60).system, Defect.LEAK),
        ("<document>\nThe council bought buses.", Defect.LEAK),
        ("!?" * 40, Defect.GARBAGE),
        ("The council \ufffd\ufffd bought \ufffd\ufffd buses", Defect.GARBAGE),
        ("The council bought buses" + "!" * 25, Defect.LOOPING),
        ("The council bought it. " * 30, Defect.LOOPING),
        (SOURCE, Defect.ECHO),
        (SOURCE.replace(" ", "\n").upper(), Defect.ECHO),
        (SOURCE[: len(SOURCE) // 2], Defect.ECHO),
        ("市议会购买了新的电动公交车并逐一报告各条线路。", Defect.SCRIPT),
    ],
)
def test_an_unusable_answer_is_named(output: str, defect: Defect) -> None:
    assert defect_of(output) is defect


def test_an_answer_at_its_limit_is_cut() -> None:
    assert defect_of(SUMMARY, finish_reason="length") is Defect.CUT
    assert defect_of(SUMMARY, finish_reason=None, max_tokens=10) is Defect.CUT
    assert defect_of(SUMMARY, finish_reason=None) is None


def test_an_english_answer_to_a_chinese_text_is_refused() -> None:
    assert defect_of(SUMMARY, source=CHINESE) is Defect.SCRIPT
    assert defect_of("市议会购买了新的电动公交车。", source=CHINESE) is None


def test_a_good_summary_passes() -> None:
    assert defect_of(SUMMARY) is None
    assert defect_of(SOURCE[:160]) is None


@pytest.mark.parametrize(
    "source",
    [
        "Yes.",
        "The council met. It bought buses.",
        "One " + "very " * 100 + "long sentence. And a second one.",
        "a" * 5_000,
        "!!! ??? ...",
        "ha " * 500,
        "-" * 80,
        "😀" * 30,
    ],
)
def test_a_text_that_is_its_own_summary_may_come_back(source: str) -> None:
    assert defect_of(source[:200], source=source) is None


def test_the_beginning_of_a_text_without_sentences_may_come_back() -> None:
    source = " ".join(f"item{n}" for n in range(5_000))
    assert defect_of(" ".join(source.split()[:60]), source=source) is None
    assert defect_of(source[:4_000], source=source) is not Defect.CUT


def test_noise_merged_with_noise_is_no_loop_of_the_model() -> None:
    source = "\n\n".join(["." * 800] * 8)
    assert defect_of("." * 800 + "……", source=source, words=400) is None


def test_a_text_about_the_tags_may_be_summarized_with_them() -> None:
    source = SOURCE + " It uses the <document> tag."
    assert (
        defect_of("It uses the <document> tag for its reports.", source=source) is None
    )


def test_the_error_says_the_sentence_and_never_the_answer() -> None:
    with pytest.raises(OutputUnusable, match="in another script") as unusable:
        check_output(
            "今天" * 9, source=SOURCE, finish_reason="stop", max_tokens=99, words=60
        )
    assert "今" not in str(unusable.value)


def test_every_code_has_a_sentence() -> None:
    assert all(defect.sentence.endswith(".") for defect in Defect)
    assert len({defect.value for defect in Defect}) == len(Defect)
