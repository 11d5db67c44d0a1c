"""Boxes open only with their key, under their label, unchanged."""

import base64

import pytest

from plumbing.sealing import BoxBroken, DataKey, KeyMalformed, MasterKey

MASTER = base64.b64encode(b"m" * 32).decode()


def test_a_sealed_text_comes_back_and_is_not_in_the_box() -> None:
    key = DataKey.generate()
    box = key.seal(b"the text", label="text:1")
    assert key.open(box, label="text:1") == b"the text"
    assert b"the text" not in box


def test_the_same_text_never_makes_the_same_box() -> None:
    key = DataKey.generate()
    assert key.seal(b"x", label="l") != key.seal(b"x", label="l")


def test_another_label_key_or_byte_breaks_the_box() -> None:
    key = DataKey.generate()
    box = key.seal(b"x", label="l")
    for broken in (box[:-1] + bytes([box[-1] ^ 1]), box[:-1], b"", b"short"):
        with pytest.raises(BoxBroken):
            key.open(broken, label="l")
    with pytest.raises(BoxBroken):
        key.open(box, label="m")
    with pytest.raises(BoxBroken):
        DataKey.generate().open(box, label="l")


def test_a_wrapped_key_opens_what_it_sealed() -> None:
    master, key = MasterKey(MASTER), DataKey.generate()
    wrapped = master.wrap(key, label="job-key:1")
    box = key.seal(b"x", label="l")
    assert master.unwrap(wrapped, label="job-key:1").open(box, label="l") == b"x"
    with pytest.raises(BoxBroken):
        master.unwrap(wrapped, label="job-key:2")


@pytest.mark.parametrize("encoded", ["", "short", "!!!!", MASTER[:-8]])
def test_a_malformed_master_key_is_refused_with_the_remedy(encoded: str) -> None:
    with pytest.raises(KeyMalformed, match="PRECIS_MASTER_KEY"):
        MasterKey(encoded)


OLD = base64.b64encode(b"o" * 32).decode()


def test_what_an_older_key_sealed_opens_and_is_sealed_anew_by_the_new_one() -> None:
    box = MasterKey(OLD).seal(b"x", label="l")
    both = MasterKey(MASTER, OLD)
    assert both.open(box, label="l") == b"x"
    renewed = both.seal_anew(box, label="l")
    assert MasterKey(MASTER).open(renewed, label="l") == b"x"
    with pytest.raises(BoxBroken):
        MasterKey(OLD).open(renewed, label="l")


def test_a_box_tells_which_key_sealed_it() -> None:
    both, old = MasterKey(MASTER, OLD), MasterKey(OLD)
    assert both.seal(b"x", label="l").startswith(both.mark)
    assert old.seal(b"x", label="l").startswith(old.mark)
    assert both.mark != old.mark


def test_boxes_from_before_the_marks_still_open() -> None:
    unmarked = DataKey(b"o" * 32).seal(b"x", label="l")
    assert MasterKey(MASTER, OLD).open(unmarked, label="l") == b"x"
    with pytest.raises(BoxBroken):
        MasterKey(MASTER).open(unmarked, label="l")


def test_a_malformed_older_key_is_named() -> None:
    with pytest.raises(KeyMalformed, match="PRECIS_MASTER_KEY_PREVIOUS"):
        MasterKey(MASTER, "short")
