import pytest
from pydantic import ValidationError

from plumbing.settings import (
    DatabaseSettings,
    EngineSettings,
    KafkaSettings,
    SecretSettings,
    ServiceSettings,
    SettingsRefused,
    read_settings,
)


class WorkerSettings(DatabaseSettings, KafkaSettings, EngineSettings, SecretSettings):
    """What a real service does: it composes the groups that it needs."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("PRECIS_DATABASE_URL", "postgresql://u:hush@db/precis")
    monkeypatch.setenv("PRECIS_MASTER_KEY", "hush")
    monkeypatch.setenv("PRECIS_KEY_PEPPER", "hush")
    return monkeypatch


def test_groups_combine_and_read_prefixed_variables(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PRECIS_KAFKA_BOOTSTRAP", "k:1")
    environment.setenv("PRECIS_LOG_LEVEL", "debug")
    settings = read_settings(WorkerSettings)
    assert settings.kafka_bootstrap == "k:1"
    assert settings.log_level == "DEBUG"
    assert settings.kafka_topic == "precis.jobs"
    assert settings.database_url.get_secret_value().endswith("@db/precis")


def test_engine_addresses_are_a_comma_separated_list(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PRECIS_BATCH_ENGINE_URLS", "http://a:1, https://b/ ,")
    settings = read_settings(EngineSettings)
    assert settings.batch_engine_urls == ("http://a:1", "https://b/")
    assert settings.realtime_engine_urls == ()


def test_an_empty_variable_counts_as_absent(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PRECIS_ENGINE_CONTEXT", "")
    assert read_settings(EngineSettings).engine_context is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_ENGINE_URLS", "http://ok,ftp://hush"),
        ("BATCH_ENGINE_URLS", "hush:8000"),
        ("ENGINE_CONTEXT", "hush"),
        ("LOG_LEVEL", "hush"),
        ("HEALTH_PORT", "99999"),
        ("KAFKA_SECURITY_PROTOCOL", "hush"),
        ("DATABASE_POOL_SIZE", "0"),
    ],
)
def test_a_wrong_value_names_its_variable_and_never_the_value(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"PRECIS_{name}", value)
    with pytest.raises(SettingsRefused) as caught:
        read_settings(WorkerSettings)
    assert f"PRECIS_{name}" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_everything_missing_is_told_at_once() -> None:
    with pytest.raises(SettingsRefused) as caught:
        read_settings(SecretSettings)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "PRECIS_MASTER_KEY",
        "PRECIS_KEY_PEPPER",
    ]


def test_secrets_stay_out_of_the_printed_settings(
    environment: pytest.MonkeyPatch,
) -> None:
    assert "hush" not in repr(read_settings(WorkerSettings))


def test_settings_cannot_be_changed() -> None:
    settings = read_settings(ServiceSettings)
    with pytest.raises(ValidationError):
        settings.log_level = "DEBUG"  # type: ignore[misc]
