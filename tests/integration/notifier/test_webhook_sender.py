"""What a receiver may do to an attempt: cost it, and nothing else."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from notifier.guarded_transport import GuardedTransport
from notifier.outcomes import Verdict
from notifier.public_addresses import Network
from notifier.webhook_sender import SignedEvent, WebhookSender
from plumbing.clock import SystemClock
from tests.integration.notifier import receivers
from tests.integration.notifier.receivers import Behaviour, Receiver

HERE = (IPv4Network("127.0.0.1/32"),)
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"
EVENT = SignedEvent(id="evt_1", body=b'{"type":"summary.succeeded"}', secrets=(SECRET,))


def a_sender(*networks: Network, limit: float = 5) -> WebhookSender:
    return WebhookSender(
        allow_networks=networks,
        clock=SystemClock(),
        time_limit=timedelta(seconds=limit),
    )


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    made = a_sender(*HERE)
    yield made
    await made.close()


@pytest.fixture
async def brief_sender() -> AsyncIterator[WebhookSender]:
    made = a_sender(*HERE, limit=0.5)
    yield made
    await made.close()


async def test_a_2xx_is_a_success(sender: WebhookSender, receiver: Receiver) -> None:
    receiver.behaviour = receivers.answer(204, body=b"")
    outcome = await sender.send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.code == 204
    (request,) = receiver.received
    assert request.body == EVENT.body
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["webhook-id"] == "evt_1"
    assert "traceparent" not in request.headers
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("status", "verdict", "shows_life"),
    [
        (400, Verdict.FAILED, True),
        (404, Verdict.FAILED, True),
        (410, Verdict.GONE, True),
        (429, Verdict.FAILED, False),
        (500, Verdict.FAILED, False),
        (503, Verdict.FAILED, False),
    ],
)
async def test_a_refusal_is_kept_with_its_status(
    sender: WebhookSender,
    receiver: Receiver,
    status: int,
    verdict: Verdict,
    *,
    shows_life: bool,
) -> None:
    receiver.behaviour = receivers.answer(status)
    outcome = await sender.send(receiver.url, EVENT)
    assert (outcome.verdict, outcome.code) == (verdict, status)
    assert outcome.shows_life is shows_life


async def test_a_receiver_may_ask_for_patience(
    sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.behaviour = receivers.answer(503, headers="Retry-After: 120\r\n")
    outcome = await sender.send(receiver.url, EVENT)
    assert outcome.retry_after == timedelta(seconds=120)
    receiver.behaviour = receivers.answer(400, headers="Retry-After: 120\r\n")
    assert (await sender.send(receiver.url, EVENT)).retry_after is None


async def test_a_redirect_is_not_followed(
    sender: WebhookSender, receiver: Receiver
) -> None:
    location = f"Location: {receiver.url}/elsewhere\r\n"
    receiver.behaviour = receivers.answer(302, headers=location)
    outcome = await sender.send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.error == "redirect_not_followed"
    assert len(receiver.received) == 1


@pytest.mark.parametrize("behaviour", [receivers.hang, receivers.drip])
async def test_a_receiver_that_takes_too_long_is_cut(
    brief_sender: WebhookSender, receiver: Receiver, behaviour: Behaviour
) -> None:
    receiver.behaviour = behaviour
    began = time.monotonic()
    outcome = await brief_sender.send(receiver.url, EVENT)
    assert outcome.error == "timeout"
    assert time.monotonic() - began < 2


async def test_an_endless_answer_is_read_a_little(
    sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.behaviour = receivers.never_end
    assert (await sender.send(receiver.url, EVENT)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "behaviour",
    [receivers.flood, receivers.talk_junk, receivers.flood_head],
)
async def test_a_garbled_answer_is_a_failed_attempt(
    sender: WebhookSender, receiver: Receiver, behaviour: Behaviour
) -> None:
    receiver.behaviour = behaviour
    outcome = await sender.send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.error == "answer_garbled"


async def test_a_compressed_answer_is_not_unpacked(
    sender: WebhookSender, receiver: Receiver
) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    receiver.behaviour = receivers.answer(
        200, headers="Content-Encoding: gzip\r\n", body=bomb
    )
    tracemalloc.start()
    outcome = await sender.send(receiver.url, EVENT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.error == "encoding_not_accepted"
    assert peak < 1_000_000


async def test_a_lost_connection_is_a_failed_attempt(
    sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.behaviour = receivers.hang_up
    outcome = await sender.send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.FAILED
    assert not outcome.shows_life


async def test_no_connection_is_kept_for_another_delivery(
    sender: WebhookSender, receiver: Receiver
) -> None:
    for _ in range(3):
        await sender.send(receiver.url, EVENT)
    assert receiver.most_open == 1
    assert {request.headers["connection"] for request in receiver.received} == {"close"}


async def test_a_closed_port_is_a_failed_attempt(sender: WebhookSender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        outcome = await sender.send(url, EVENT)
    assert outcome.error == "connect_failed"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answers of the system's resolver, one list for each time it is asked."""
    answers: list[list[str]] = []

    def resolve(_host: str, port: int, **_options: Any) -> list[tuple[Any, ...]]:
        addresses = answers.pop(0)
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


async def test_one_private_answer_among_public_ones_blocks_the_name(
    resolver: list[list[str]],
) -> None:
    resolver.append(["93.184.216.34", "10.0.0.1"])
    sender = a_sender()
    outcome = await sender.send("https://mixed.example/", EVENT)
    assert outcome.verdict is Verdict.BLOCKED
    assert outcome.error == "address_blocked"


async def test_a_name_is_resolved_once_and_its_checked_address_used(
    resolver: list[list[str]], receiver: Receiver
) -> None:
    # 127.0.0.1 passes here; a second look-up would fail the test by an IndexError.
    resolver.append(["127.0.0.1"])
    url = f"http://hooks.internal:{receiver.port}/hook"
    sender = a_sender(*HERE)
    assert (await sender.send(url, EVENT)).verdict is Verdict.ACCEPTED
    assert receiver.received[0].headers["host"] == f"hooks.internal:{receiver.port}"
    assert not resolver


async def test_fault_dns_garb_turns_private_and_nothing_is_sent(
    resolver: list[list[str]], receiver: Receiver
) -> None:
    resolver.append(["127.0.0.1"])
    sender = a_sender()
    outcome = await sender.send("https://rebound.example/", EVENT)
    assert outcome.verdict is Verdict.BLOCKED
    assert not receiver.received


async def test_plain_http_must_lead_into_an_allowed_network(
    resolver: list[list[str]],
) -> None:
    resolver.append(["93.184.216.34"])
    sender = a_sender(*HERE)
    outcome = await sender.send("http://hooks.internal/", EVENT)
    assert outcome.verdict is Verdict.BLOCKED


async def test_fault_dns_k9_is_no_address_and_tried_again(
    resolver: list[list[str]],
) -> None:
    resolver.append([])
    outcome = await a_sender().send("https://nowhere.example/", EVENT)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.error == "name_unresolved"


async def test_a_url_that_no_longer_passes_is_blocked(receiver: Receiver) -> None:
    outcome = await a_sender().send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.BLOCKED
    assert not receiver.received


async def test_fault_dns_slow_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, brief_sender: WebhookSender
) -> None:
    real = socket.getaddrinfo

    def resolve(host: str, *details: Any, **options: Any) -> Any:
        if host.startswith("slow"):
            time.sleep(1)
            raise socket.gaierror
        return real(host, *details, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    slow = [
        asyncio.create_task(brief_sender.send(f"https://slow{number}.example/", EVENT))
        for number in range(60)
    ]
    await asyncio.sleep(0)
    began = time.monotonic()
    outcome = await brief_sender.send(receiver.url, EVENT)
    assert outcome.verdict is Verdict.ACCEPTED
    assert time.monotonic() - began < 0.4
    assert {(await each).error for each in slow} == {"timeout"}


NAME = "hooks.example"


def a_certificate_of_its_own(folder: Path) -> Path:
    """A key and a certificate for NAME and 127.0.0.1 that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    alternative = x509.SubjectAlternativeName(
        [x509.IPAddress(HERE[0][0]), x509.DNSName(NAME)]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path


@dataclass
class TlsServer:
    port: int
    certificate: Path
    names_asked: list[str | None]


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    """Answers 200; notes which name each client asked for."""
    certificate = a_certificate_of_its_own(tmp_path)
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async def converse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            await receivers.answer()(writer)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=context)
    yield TlsServer(server.sockets[0].getsockname()[1], certificate, names)
    server.close()


async def test_tls_is_spoken_with_the_name_not_the_address(
    resolver: list[list[str]], tls_server: TlsServer
) -> None:
    trust = ssl.create_default_context(cafile=str(tls_server.certificate))
    transport = GuardedTransport(trust=trust, allow_networks=HERE, only_allowed=False)
    resolver.extend([["127.0.0.1"], ["127.0.0.1"]])
    request = httpx.Request("POST", f"https://{NAME}:{tls_server.port}/")
    response = await transport.handle_async_request(request)
    await response.aclose()
    assert response.status_code == 200
    assert tls_server.names_asked == [NAME]
    other = httpx.Request("POST", f"https://other.example:{tls_server.port}/")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await transport.handle_async_request(other)


async def test_a_certificate_that_nobody_vouches_for_is_a_failed_attempt(
    sender: WebhookSender, tls_server: TlsServer
) -> None:
    outcome = await sender.send(f"https://127.0.0.1:{tls_server.port}/", EVENT)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.error == "tls_failed"


async def test_a_private_ipv6_literal_is_blocked() -> None:
    sender = a_sender(IPv6Network("fd00::/16"))
    outcome = await sender.send("https://[fd01::1]/", EVENT)
    assert outcome.error == "address_blocked"
