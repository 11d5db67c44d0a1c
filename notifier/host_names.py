"""What a host in a stranger's address may be called: ASCII, lower case, and not ours.

Names are normalised as a browser would, so that a name that looks harmless and
resolves to an address ("one-two-seven" in circled digits) is seen for what it is.
Pure: whether a name resolves, and to what, is checked when something is sent.
"""

from ipaddress import AddressValueError, IPv4Address
from typing import Final

import idna

_MAX_NAME_LENGTH: Final = 253

# What only a private network resolves (RFC 6761, 6762, 8375; clouds, Kubernetes).
_LOCAL_ENDINGS: Final = frozenset(
    {
        "cluster",
        "corp",
        "default",
        "home",
        "home.arpa",
        "internal",
        "intranet",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "private",
        "svc",
    }
)


class NameRefused(Exception):
    """No host name of the public DNS is written like this."""


def normalise_name(name: str) -> str:
    """The name in lower-case ASCII labels, or `NameRefused`."""
    try:
        ascii_name = idna.encode(name, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise NameRefused("not a host name") from error
    if ascii_name.endswith(".") or len(ascii_name) > _MAX_NAME_LENGTH:
        raise NameRefused("a trailing dot or too long")
    return ascii_name.lower()


def is_numeric(name: str) -> bool:
    """Whether a resolver would read the name as an address, in whatever notation."""
    last = name.rpartition(".")[2]
    return last.isdigit() or last[:2] == "0x"


def find_ipv4(name: str) -> IPv4Address | None:
    """The address, if the name is one in its usual four decimal parts."""
    try:
        return IPv4Address(name)
    except AddressValueError:
        return None


def is_local(name: str) -> bool:
    """Whether only a private network can know the name."""
    labels = name.split(".")
    endings = (labels[-1], ".".join(labels[-2:]))
    return len(labels) == 1 or any(ending in _LOCAL_ENDINGS for ending in endings)
