"""The only way out to strangers' servers: to addresses that were checked, and no others.

A name is resolved once, every answer is judged, and the connection goes to a judged
address, so a name that changes its mind in between gains nothing. TLS and the Host
header still carry the name. No proxy, no redirect, no connection kept for another
receiver, and no more bytes read than a small answer needs.
"""

import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

import certifi
import httpcore
import httpx

from notifier.name_lookup import find_addresses
from notifier.public_addresses import Address, Network, is_public, is_within

CONNECTION_BYTES: Final = 96 * 1024
"""Read from one connection at most: an answer of 64 kB, its head and the handshake."""
_MAX_ADDRESSES_TRIED: Final = 3
# All that has arrived is handed over at once, wanted or not: left to itself the kernel
# lets a receiver that floods us put a quarter of a megabyte there, for each connection.
_SMALL_WINDOW: Final = (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


class AddressBlocked(Exception):
    """The host leads to an address that is neither public nor allowed."""


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport on a network that refuses what the rules refuse."""

    def __init__(
        self,
        *,
        trust: ssl.SSLContext,
        allow_networks: Sequence[Network],
        only_allowed: bool,
    ) -> None:
        """With `only_allowed` not even public addresses are reached."""
        super().__init__(verify=trust, trust_env=False)
        network = _GuardedNetwork(allow_networks, only_allowed=only_allowed)
        # httpx has no parameter for the network; the pool is all that its transport is.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=network,
        )


def make_trust() -> ssl.SSLContext:
    """Trust the system's authorities and Mozilla's: bare images may lack the first."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, allowed: Sequence[Network], *, only_allowed: bool) -> None:
        self._allowed = allowed
        self._only_allowed = only_allowed
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await find_addresses(host, port)
        if not all(self._may_reach(address) for address in addresses):
            raise AddressBlocked
        options = (*(socket_options or ()), _SMALL_WINDOW)
        failure: Exception = httpcore.ConnectError()
        for address in addresses[:_MAX_ADDRESSES_TRIED]:
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, timeout, local_address, options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _ShortStream(stream)
        raise failure

    def _may_reach(self, address: Address) -> bool:
        if is_within(address, self._allowed):
            return True
        return not self._only_allowed and is_public(address)


class _ShortStream(httpcore.AsyncNetworkStream):
    """A connection that ends itself after so many bytes, whatever they are.

    Endless heads and floods of 1xx answers never reach a limit on the body.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = CONNECTION_BYTES

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> bytes:
        if self._left <= 0:
            raise httpcore.RemoteProtocolError("the answer is too long")
        received = await self._stream.read(max_bytes, timeout)
        self._left -= len(received)
        return received

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _ShortStream(secured)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
