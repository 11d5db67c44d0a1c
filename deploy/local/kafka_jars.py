"""Fetches Apache Kafka's jars from Maven Central into a cache, once per machine.

Run as `python -m deploy.local.kafka_jars FOLDER` in a child of its own, because it
makes all of its process trust the system's certificate authorities. The folder appears
whole or not at all: a download that broke off is never taken for complete.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import requests
import truststore
from requests.adapters import HTTPAdapter

# 4.4.0 does not resolve: its kafka-tools-api is not published.
KAFKA_VERSION = "4.3.1"
_COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_FEWEST_JARS = 40  # 45 today
_RETRIES = 3


def jars_folder(cache: Path) -> Path:
    return cache / "kafka" / KAFKA_VERSION


def fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        jars = _resolve(Path(scratch))
        whole = Path(scratch) / "whole"
        whole.mkdir()
        for jar in jars:
            shutil.copyfile(jar, whole / jar.name)
        _put_in_place(whole, folder)


def _resolve(scratch: Path) -> list[Path]:
    # jgo would keep a second copy of everything in the user's Maven folder.
    os.environ["M2_REPO"] = str(scratch / "repository")
    import jgo  # noqa: PLC0415  it reads M2_REPO when it is imported

    environment = jgo.build(_COORDINATES, cache_dir=scratch / "environments")
    jars = sorted(Path(environment.path).rglob("*.jar"))
    if len(jars) < _FEWEST_JARS:
        sys.exit(f"only {len(jars)} jars of {_COORDINATES} were found")
    return jars


def _put_in_place(whole: Path, folder: Path) -> None:
    try:
        whole.rename(folder)
    except OSError:
        # Another stack was quicker; its folder is as whole as ours.
        if not folder.is_dir():
            raise


def _share_one_connection() -> None:
    """Let jgo's 250 requests use one session.

    By itself it opens a connection for each and reads the certificates anew for each,
    which is most of half a minute.
    """
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=_RETRIES))
    vars(requests)["request"] = session.request


if __name__ == "__main__":
    truststore.inject_into_ssl()  # requests would know certifi's list only
    _share_one_connection()
    fetch(Path(sys.argv[1]))
