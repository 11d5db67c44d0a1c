"""Which mail addresses pass; lines 100 and 101 of the list of bad inputs."""

import pytest

from notifier.mail_addresses import AddressRefused, check_mail_address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@example.com",
        "a@",
        "a@b",
        "a@b\r\nBcc: x@y.com",
        "a@example.com\n",
        "a\r\n@example.com",
        "a%0ab@example.com",
        "a@example.com%0aBcc:x@y.com",
        '"a b"@example.com',
        '"a\r\n"@example.com',
        "a@example.com,b@example.com",
        "a@example.com b@example.com",
        "a@b@example.com",
        "a(comment)@example.com",
        "a@(comment)example.com",
        "A <a@example.com>",
        "=?utf-8?q?=0a?= <a@example.com>",
        "@relay.com:a@example.com",
        "relay.com!a@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@example.com.",
        "a@exa_mple.com",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "ä@example.com",
        "a\x00@example.com",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        check_mail_address(address)
    assert refusal.value.code == "email_invalid"


@pytest.mark.parametrize(
    "address", ["a" * 65 + "@example.com", "a@" + "b" * 60 + ".com" * 64]
)
def test_an_address_that_is_too_long_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        check_mail_address(address)
    assert refusal.value.code == "email_too_long"


@pytest.mark.parametrize(
    ("address", "normalised"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Love+x@Example.COM", "Ada.Love+x@example.com"),
        ("a'b@example.com", "a'b@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_a_plain_address_passes_with_its_domain_in_ascii(
    address: str, normalised: str
) -> None:
    assert check_mail_address(address) == normalised
