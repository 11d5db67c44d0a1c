"""Which addresses belong to the public internet, by an explicit list of those that don't.

Python's `is_global` calls some metadata servers, NAT64 and 6to4 forms of private
addresses and multicast global, so it is not asked. Of IPv6 only the global unicast
block 2000::/3 can be public; all around it is named below. Pure: nothing is resolved.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DENIED_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, metadata of some clouds
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's wire server
        "169.254.0.0/16",  # link-local, metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_DENIED_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "::/3",  # loopback, mapped and compatible IPv4, NAT64, discard
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "4000::/2",  # not assigned; segment routing
        "8000::/1",  # unique local, link-local, site-local, multicast
    )
)


def is_public(address: Address) -> bool:
    denied: Sequence[Network] = (
        _DENIED_IPV4 if isinstance(address, IPv4Address) else _DENIED_IPV6
    )
    return not is_within(address, denied)


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(
        address.version == network.version and address in network
        for network in networks
    )
