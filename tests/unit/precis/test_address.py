import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from precis.cli.address import Address, AddressSettings, find_address
from precis.cli.exits import CommandRefused, Exit

LOCAL = Address("http://127.0.0.1:8000", "sk_live_local")


def _settings(url: str | None = None, key: str | None = None) -> AddressSettings:
    return AddressSettings(url=url, api_key=SecretStr(key) if key else None)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PRECIS_URL", raising=False)
    monkeypatch.delenv("PRECIS_API_KEY", raising=False)
    ready = {"url": LOCAL.url, "api_key": LOCAL.api_key}
    (tmp_path / "ready.json").write_text(json.dumps(ready))
    return tmp_path


def test_the_environment_wins(data: Path) -> None:
    found = find_address(_settings("https://precis.example", "sk_live_x"), data=data)
    assert found == Address("https://precis.example", "sk_live_x")


def test_the_local_stack_is_next(data: Path) -> None:
    assert find_address(_settings(), data=data) == LOCAL


def test_the_local_stack_may_be_used_with_another_key(data: Path) -> None:
    found = find_address(_settings(key="sk_live_other"), data=data)
    assert found == Address(LOCAL.url, "sk_live_other")


def test_the_local_key_is_never_sent_to_another_service(data: Path) -> None:
    with pytest.raises(CommandRefused, match="PRECIS_API_KEY") as caught:
        find_address(_settings("https://elsewhere.example"), data=data)
    assert caught.value.status is Exit.NOT_SIGNED_IN


def test_no_service_at_all_is_told_with_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="precis up") as caught:
        find_address(_settings(), data=tmp_path)
    assert caught.value.status is Exit.NOT_REACHABLE


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": "x"}'])
def test_a_broken_ready_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "ready.json").write_text(content)
    with pytest.raises(CommandRefused, match="cannot be read"):
        find_address(_settings(), data=tmp_path)


def test_an_address_does_not_show_its_key() -> None:
    assert "sk_live_local" not in repr(LOCAL)
