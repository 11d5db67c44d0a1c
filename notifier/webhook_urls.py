"""Which addresses a webhook may have: checked when one is named and before each attempt.

Pure: no name is resolved here. What a name resolves to is judged at each attempt by
`guarded_transport`, which needs `needs_allowed_network` from here: a URL that only an
allowed network excuses (http, another port, a local name) must also lead there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final, Literal

from notifier.host_names import (
    NameRefused,
    find_ipv4,
    is_local,
    is_numeric,
    normalise_name,
)
from notifier.public_addresses import Address, Network, is_public, is_within

MAX_URL_LENGTH: Final = 2048
PORTS: Final = frozenset({443, 8443})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_HIGHEST_PORT: Final = 65535

Code = Literal[
    "https_required",
    "url_invalid",
    "scheme_not_allowed",
    "userinfo_not_allowed",
    "port_not_allowed",
    "address_blocked",
    "host_not_allowed",
    "url_too_long",
]

# Outside the host a URL is ASCII (RFC 3986); a fragment never reaches a server.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_PARTS: Final = re.compile(r"//([^/?#]*)((?:/[^?#]*)?(?:\?[^#]*)?)", re.DOTALL)
_REST: Final = re.compile(r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})*")
_HOST_AND_PORT: Final = re.compile(
    r"(\[[^\[\]]*\]|[^\[\]:%]*)(?::([0-9]*))?", re.DOTALL
)


class UrlRefused(Exception):
    """The URL breaks a rule; `code` says which, for the caller and the owner."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrl:
    """A URL that passed the rules, normalised."""

    url: str
    scheme: str
    host: str
    port: int
    needs_allowed_network: bool
    """Every address it resolves to must lie in an allowed network; public won't do."""

    @property
    def lane(self) -> str:
        """Where deliveries to this URL queue: with all others to the same host."""
        return f"host:{self.host}"


def check_webhook_url(url: str, *, allow_networks: Sequence[Network]) -> WebhookUrl:
    """The normalised URL, or `UrlRefused` with the first rule it breaks."""
    scheme, authority, rest = _split(url)
    if "@" in authority:
        raise UrlRefused("userinfo_not_allowed")
    written_host, port = _split_port(authority, default=_DEFAULT_PORTS[scheme])
    host, address = _read_host(written_host)
    if address is None:
        needs_allowed = is_local(host)
        is_exempt = needs_allowed and bool(allow_networks)
    else:
        needs_allowed = is_exempt = is_within(address, allow_networks)
    if not is_exempt:
        _check_public(scheme, port, host=host, address=address)
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return WebhookUrl(
        url=f"{scheme}://{host}{shown_port}{rest}",
        scheme=scheme,
        host=host,
        port=port,
        needs_allowed_network=needs_allowed,
    )


def _split(url: str) -> tuple[str, str, str]:
    """Scheme, authority and the rest; no character that readers could disagree on."""
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused("url_too_long")
    if "\\" in url or any(not c.isprintable() or c.isspace() for c in url):
        raise UrlRefused("url_invalid")
    schemed = _SCHEME.fullmatch(url)
    if schemed is None:
        raise UrlRefused("url_invalid")
    scheme = schemed[1].lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefused("scheme_not_allowed")
    parts = _PARTS.fullmatch(schemed[2])
    if parts is None or not parts[1] or _REST.fullmatch(parts[2]) is None:
        raise UrlRefused("url_invalid")
    return scheme, parts[1], parts[2]


def _split_port(authority: str, *, default: int) -> tuple[str, int]:
    match = _HOST_AND_PORT.fullmatch(authority)
    if match is None or not match[1]:
        raise UrlRefused("url_invalid")
    if not match[2]:
        return match[1], default
    port = int(match[2][:6])
    if not 0 < port <= _HIGHEST_PORT:
        raise UrlRefused("port_not_allowed")
    return match[1], port


def _read_host(written: str) -> tuple[str, Address | None]:
    """The host as it is sent, and the address if it is one."""
    if written.startswith("["):
        return _read_ipv6(written[1:-1])
    try:
        name = normalise_name(written)
    except NameRefused as error:
        raise UrlRefused("host_not_allowed") from error
    address = find_ipv4(name)
    if address is None and is_numeric(name):
        raise UrlRefused("host_not_allowed")
    if address is not None and not written.isascii():
        # Digits in disguise are written by nobody who means well.
        raise UrlRefused("host_not_allowed")
    return name, address


def _read_ipv6(written: str) -> tuple[str, Address]:
    plain, zone, _ = written.partition("%")
    try:
        address = IPv6Address(plain)
    except AddressValueError as error:
        raise UrlRefused("url_invalid") from error
    if zone:
        # A zone names a link of this very machine.
        raise UrlRefused("address_blocked")
    return f"[{address.compressed}]", address


def _check_public(
    scheme: str, port: int, *, host: str, address: Address | None
) -> None:
    """The rules from which only an allowed network exempts."""
    if address is not None and not is_public(address):
        raise UrlRefused("address_blocked")
    if address is None and is_local(host):
        raise UrlRefused("host_not_allowed")
    if scheme != "https":
        raise UrlRefused("https_required")
    if port not in PORTS:
        raise UrlRefused("port_not_allowed")
