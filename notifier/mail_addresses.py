"""Which mail addresses a job may name: one plain address, nothing around it.

Pure; the gateway asks at admission, and what passed is used as it is returned. No
display name, comment, quoted part, route or address literal: what cannot be written
cannot smuggle a second receiver or a header. Whether the mailbox exists, only the
relay can tell.
"""

import re
from typing import Final, Literal

from notifier.host_names import NameRefused, is_numeric, normalise_name

MAX_ADDRESS_LENGTH: Final = 254
_MAX_LOCAL_LENGTH: Final = 64

Code = Literal["email_invalid", "email_too_long"]

# RFC 5322's atoms without "%" and "!", by which relays of old forwarded mail.
_LOCAL_PART: Final = re.compile(
    r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*"
)


class AddressRefused(Exception):
    """The address breaks a rule; `code` says which."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code


def check_mail_address(address: str) -> str:
    """The address with its domain in lower-case ASCII, or `AddressRefused`."""
    if len(address) > MAX_ADDRESS_LENGTH:
        raise AddressRefused("email_too_long")
    local, at, domain = address.partition("@")
    if not at or _LOCAL_PART.fullmatch(local) is None:
        raise AddressRefused("email_invalid")
    normalised = f"{local}@{_check_domain(domain)}"
    if len(normalised) > MAX_ADDRESS_LENGTH or len(local) > _MAX_LOCAL_LENGTH:
        raise AddressRefused("email_too_long")
    return normalised


def _check_domain(domain: str) -> str:
    try:
        name = normalise_name(domain)
    except NameRefused as error:
        raise AddressRefused("email_invalid") from error
    if "." not in name or is_numeric(name):
        raise AddressRefused("email_invalid")
    return name
