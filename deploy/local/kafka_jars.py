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
_KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Without it Kafka dies without a word: nothing else carries its log lines. Resolved
# apart, because asked for together they bring older versions of Kafka's own jars.
_LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
_FEWEST_JARS = 40  # 45 today
_RETRIES = 3


def jars_folder(cache: Path) -> Path:
    return cache / "kafka" / f"{KAFKA_VERSION}-with-log4j"


def fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        # jgo would keep a second copy of everything in the user's Maven folder.
        os.environ["M2_REPO"] = str(Path(scratch) / "repository")
        jars = _resolve(_KAFKA, Path(scratch), pattern="*.jar")
        if len(jars) < _FEWEST_JARS:
            sys.exit(f"only {len(jars)} jars of {_KAFKA} were found")
        jars += _resolve(_LOG_BINDING, Path(scratch), pattern="log4j-slf4j-impl-*.jar")
        _put_in_place(_gather(jars, Path(scratch) / "whole"), folder)


def _resolve(coordinates: str, scratch: Path, *, pattern: str) -> list[Path]:
    import jgo  # noqa: PLC0415  it reads M2_REPO when it is imported

    environment = jgo.build(coordinates, cache_dir=scratch / "environments")
    return sorted(Path(environment.path).rglob(pattern))


def _gather(jars: list[Path], whole: Path) -> Path:
    whole.mkdir()
    for jar in jars:
        shutil.copyfile(jar, whole / jar.name)
    return whole


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
