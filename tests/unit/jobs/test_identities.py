"""Ids and API keys: their shapes, and what is refused without asking anybody."""

from uuid import UUID

import pytest

from jobs.api_keys import ApiKey, parse_api_key
from jobs.ids import DELIVERY, SUMMARY, new_id, parse_id, show_id


def test_an_id_comes_back_from_its_text() -> None:
    made = new_id()
    assert made.version == 7
    assert parse_id(SUMMARY, show_id(SUMMARY, made)) == made


def test_ids_sort_by_the_time_they_were_made() -> None:
    earlier = UUID(int=new_id().int - (5 << 80))  # five milliseconds
    assert earlier < new_id()


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "sum_",
        "sum_" + "0" * 31,
        "sum_" + "0" * 33,
        "sum_" + "A" * 32,
        "SUM_" + "0" * 32,
        "del_" + "0" * 32,
        "sum_../../etc/passwd",
        "sum_" + "\u0660" * 32,
        "sum_" + "0" * 32 + "\n",
    ],
)
def test_what_is_not_exactly_an_id_is_nobodys(shown: str) -> None:
    assert parse_id(SUMMARY, shown) is None


def test_a_prefix_belongs_to_its_kind() -> None:
    assert parse_id(DELIVERY, show_id(SUMMARY, new_id())) is None


def test_an_api_key_comes_back_from_its_text_and_hides_its_secret() -> None:
    key = ApiKey.generate()
    assert parse_api_key(key.shown()) == key
    assert key.secret not in repr(key)


def test_a_changed_letter_breaks_the_checksum() -> None:
    shown = ApiKey.generate().shown()
    for at in (10, 25, len(shown) - 1):
        other = "a" if shown[at] != "a" else "b"
        assert parse_api_key(shown[:at] + other + shown[at + 1 :]) is None


def test_the_stored_hmac_depends_on_pepper_id_and_secret() -> None:
    key = ApiKey("abcdefgh", "s" * 32)
    others = [ApiKey("abcdefgi", "s" * 32), ApiKey("abcdefgh", "t" * 32)]
    macs = {key.hmac(b"p"), key.hmac(b"q"), *(other.hmac(b"p") for other in others)}
    assert len(macs) == 4
