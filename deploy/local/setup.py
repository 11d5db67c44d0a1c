"""Makes the environment that everything else runs in: `python deploy/local/setup.py`.

Runs before anything is installed, on whatever Python the Makefile found, so it needs
the standard library only and refuses a Python that does not fit. What is installed is
fixed by requirements/, each file by its hash; from where is left to how pip and uv are
configured on the machine. A second call finds the work done and returns at once.
Annotations stand in quotes, so that an old Python gets as far as the refusal.
"""

import ast
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
STAMP = ENVIRONMENT / ".precis-setup"
OLDEST, TOO_NEW = (3, 11), (3, 15)
# Where systems keep the authorities that they trust, their own networks' included.
WELL_KNOWN_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


class SetupFailed(Exception):
    """A step failed; the message names the remedy."""


def check_python(version: "tuple[int, ...]") -> None:
    if not OLDEST <= version[:2] < TOO_NEW:
        raise SetupFailed(
            f"Precis needs Python 3.11 to 3.14, this is {version[0]}.{version[1]}: "
            "install one of them and call `make setup PYTHON=python3.13` with its name"
        )


def fingerprint() -> str:
    """Say what the environment was made from; the stamp holds it when all is done."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for name in ("requirements/setup.txt", "requirements/dev.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_done(wanted: str) -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text().strip() == wanted


def make_environment() -> None:
    if _can_use_pip():
        return
    _say(f"making {ENVIRONMENT.name} with Python {sys.version.split()[0]}")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    _run(
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        remedy="on Debian and Ubuntu the module venv is a package: python3-venv",
    )


def install() -> None:
    pip = read_pip_configuration()
    _say("installing uv")
    _run(
        [
            *(str(PYTHON), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--no-deps", "--require-hashes"),
            *certificate_options(pip),
            *("-r", str(REQUIREMENTS / "setup.txt")),
        ],
        remedy="is the package index reachable, and its certificate trusted?",
    )
    _say("installing what requirements/dev.txt lists")
    uv = [str(ENVIRONMENT / "bin" / "uv"), "pip"]
    target = ["--quiet", "--system-certs", "--python", str(PYTHON)]
    settings = index_settings(pip)
    _run(
        [*uv, "sync", *target, "--require-hashes", str(REQUIREMENTS / "dev.txt")],
        remedy="is the package index reachable? (uv is configured by UV_DEFAULT_INDEX)",
        settings=settings,
    )
    _run(
        [*uv, "install", *target, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        remedy="the project itself could not be installed",
        settings=settings,
    )


def read_pip_configuration() -> "dict[str, str]":
    """Read what pip was told by files and environment, by the option's bare name."""
    listed = subprocess.run(  # noqa: S603  our own interpreter
        [str(PYTHON), "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        told[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return told


def certificate_options(pip: "dict[str, str]") -> "list[str]":
    """Let pip trust what the system trusts; before 24.2 it knows its own list only."""
    told_by_environment = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    if "cert" in pip or any(os.environ.get(name) for name in told_by_environment):
        return []
    by_openssl = ssl.get_default_verify_paths().cafile
    for bundle in filter(None, (by_openssl, *WELL_KNOWN_BUNDLES)):
        if Path(bundle).is_file():
            return ["--cert", bundle]
    return []


def index_settings(pip: "dict[str, str]") -> "dict[str, str]":
    """Point uv, which does not read pip's configuration, to the index pip uses."""
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
    if any(name.startswith("UV_") and "INDEX" in name for name in os.environ):
        return {}
    return {names[option]: value for option, value in pip.items() if option in names}


def _can_use_pip() -> bool:
    """An environment that broke off half-made, or of another Python, is made anew."""
    if not PYTHON.exists():
        return False
    ours = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    found = subprocess.run(  # noqa: S603  our own interpreter
        [str(PYTHON), "-c", ours], stderr=subprocess.DEVNULL, check=False
    )
    return found.returncode == 0


def _run(
    command: "list[str]", *, remedy: str, settings: "dict[str, str] | None" = None
) -> None:
    environment = {**os.environ, **(settings or {})}
    ended = subprocess.run(command, env=environment, check=False)  # noqa: S603  ours
    if ended.returncode != 0:
        raise SetupFailed(f"{Path(command[0]).name} failed: {remedy}")


def _say(what: str) -> None:
    sys.stdout.write(f"setup: {what}\n")
    sys.stdout.flush()


def main() -> None:
    check_python(tuple(sys.version_info[:2]))
    wanted = fingerprint()
    if is_done(wanted):
        return
    make_environment()
    install()
    STAMP.write_text(wanted + "\n")
    _say("done")


if __name__ == "__main__":
    try:
        main()
    except SetupFailed as error:
        sys.exit(f"setup: {error}")
