import io
import sys
from pathlib import Path

import pytest

from precis.cli.documents import find_sources
from precis.cli.exits import CommandRefused, Exit


def test_a_folder_gives_its_texts_by_name_and_leaves_the_rest(tmp_path: Path) -> None:
    for name in ("b.MD", "a.txt", "c.markdown", "d.pdf", ".hidden.txt", "e.py"):
        (tmp_path / name).write_text("x")
    (tmp_path / "inner.txt").mkdir()
    found = find_sources([str(tmp_path)])
    assert [Path(each.name).name for each in found] == ["a.txt", "b.MD", "c.markdown"]


def test_offsets_count_what_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r")
    [source] = find_sources([str(file)])
    assert source.read().text == "one\r\ntwo\r"


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = io.TextIOWrapper(io.BytesIO("né".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", typed)
    [source] = find_sources(["-"])
    assert source.read().text == "né"


@pytest.mark.parametrize("name", ["scan.pdf", "page.html", "README", "notes.docx"])
def test_other_kinds_of_file_are_refused_with_the_way_round(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(CommandRefused, match="plain text and Markdown") as caught:
        find_sources([str(tmp_path / name)])
    assert caught.value.status is Exit.USAGE
    assert "precis summarize -" in str(caught.value)


@pytest.mark.parametrize("names", [["missing.txt"], ["-", "-"]])
def test_names_that_cannot_be_right_are_refused(names: list[str]) -> None:
    with pytest.raises(CommandRefused):
        find_sources(names)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="There is no"):
        find_sources([str(tmp_path)])


def test_another_encoding_is_refused_with_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes("né".encode("latin-1"))
    [source] = find_sources([str(file)])
    with pytest.raises(CommandRefused, match="iconv"):
        source.read()
