"""What the notifier refuses to be told."""

import os

import pytest

from notifier.settings import NotifierSettings
from plumbing.settings import SettingsRefused, read_settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PRECIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PRECIS_DATABASE_URL", "postgresql://u:p@127.0.0.1:5432/d")
    monkeypatch.setenv("PRECIS_MASTER_KEY", "a-secret")


def test_two_variables_are_enough() -> None:
    settings = read_settings(NotifierSettings)
    assert settings.webhook_allow_networks == ()
    assert settings.delivery_lease.total_seconds() == 30
    assert settings.relay.password is None


def test_networks_are_a_plain_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECIS_WEBHOOK_ALLOW_NETWORKS", "127.0.0.1/32, fd00::/8")
    networks = read_settings(NotifierSettings).webhook_allow_networks
    assert [str(network) for network in networks] == ["127.0.0.1/32", "fd00::/8"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRECIS_WEBHOOK_ALLOW_NETWORKS", "127.0.0.1/8"),
        ("PRECIS_WEBHOOK_ALLOW_NETWORKS", "localhost"),
        ("PRECIS_MAIL_FROM", "Precis <precis@example.com>"),
        ("PRECIS_MAIL_FROM", "precis"),
        ("PRECIS_MAIL_FROM", "precis@example.com\nBcc: x@y.com"),
        ("PRECIS_PUBLIC_URL", "precis.example"),
        ("PRECIS_SMTP_SECURITY", "ssl"),
        ("PRECIS_DELIVERY_LEASE", "0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refusal:
        read_settings(NotifierSettings)
    assert name in str(refusal.value)
