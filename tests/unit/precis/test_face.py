"""What a program sees of the package."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

import precis
from precis import AsyncClient, Client
from precis.client.endpoints import AsyncWebhookEndpoints, WebhookEndpoints

_FOREIGN = (
    "jobs plumbing gateway workers realtime notifier migrations deploy "
    "fastapi sqlalchemy pydantic typer celery kafka redis structlog cryptography"
)
_LISTS_FOREIGN = f"""
import sys
import precis
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(*sorted(loaded & set({_FOREIGN!r}.split())))
"""


def test_importing_the_client_brings_httpx_and_nothing_of_ours() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LISTS_FOREIGN], capture_output=True, check=True
    )
    assert ran.stdout.split() == []


def test_a_quick_command_does_not_import_what_it_does_not_need() -> None:
    program = _LISTS_FOREIGN.replace("import precis", "import precis.cli.main")
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True
    )
    heavy = {b"sqlalchemy", b"deploy", b"migrations", b"celery", b"fastapi"}
    assert set(ran.stdout.split()) & heavy == set()


def test_all_public_names_exist() -> None:
    assert sorted(precis.__all__) == precis.__all__
    assert all(hasattr(precis, name) for name in precis.__all__)


@pytest.mark.parametrize(
    ("blocking", "asynchronous"),
    [(Client, AsyncClient), (WebhookEndpoints, AsyncWebhookEndpoints)],
)
def test_both_clients_offer_the_same(blocking: Any, asynchronous: Any) -> None:
    assert _methods(blocking) == _methods(asynchronous)


@pytest.mark.parametrize("url", ["", "example.com", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Client(url, "key")


def test_a_key_with_a_line_end_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        Client("http://127.0.0.1:1", "sk_live_x\n")
    assert "sk_live_x" not in str(caught.value)


def _methods(kind: type) -> dict[str, tuple[list[str], str | None]]:
    return {
        name: (
            [str(each) for each in inspect.signature(method).parameters.values()],
            method.__doc__,
        )
        for name, method in vars(kind).items()
        if callable(method) and not name.startswith("_")
    }
