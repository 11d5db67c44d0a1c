"""The maker of the environment refuses a wrong Python and finds the machine's ways."""

import pytest

from deploy.local.setup import (
    SetupFailed,
    certificate_options,
    check_python,
    index_settings,
)


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 15)])
def test_a_python_that_does_not_fit_is_refused_with_the_remedy(
    version: tuple[int, int],
) -> None:
    with pytest.raises(SetupFailed, match=r"3\.11 to 3\.14.*make setup PYTHON="):
        check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_the_ones_that_fit_are_taken(version: tuple[int, int]) -> None:
    check_python(version)


def test_a_certificate_that_pip_was_told_is_left_alone() -> None:
    assert certificate_options({"cert": "/somewhere/ca.pem"}) == []


def test_a_certificate_of_the_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/somewhere/ca.pem")
    assert certificate_options({}) == []


def test_uv_is_pointed_to_the_index_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    pip = {"index-url": "https://mirror.example/simple", "timeout": "60"}
    assert index_settings(pip) == {"UV_DEFAULT_INDEX": "https://mirror.example/simple"}


def test_an_index_that_uv_was_told_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example/simple")
    assert index_settings({"index-url": "https://mirror.example/simple"}) == {}
