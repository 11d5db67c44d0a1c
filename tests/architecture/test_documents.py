"""What the documents name is there, and what there is they name.

Links and headings, the commands of `precis`, the calls and refusals of the interface.
Words may differ from page to page; names, numbers and codes may not.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
from typer.main import get_command

from gateway.app import create_app
from gateway.context import Gateway
from gateway.erasure_models import ErasedStore, ErasureView
from gateway.problems.catalogue import PROBLEMS
from jobs.messages.problem import FAILURES
from notifier.signatures import new_secret, signed_headers
from precis.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
    }
)
LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OUTSIDE = ("http://", "https://", "mailto:")
NAMED = re.compile(
    r"`((?:precis|gateway|realtime|workers|notifier|jobs|plumbing|migrations|deploy|docs"
    r"|tests|benchmarks)/[\w./-]*)`"
)
CALL = re.compile(r"^\| `([A-Z]+ /[^`]*)` \|", re.MULTILINE)
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+) \|$", re.MULTILINE)
COMMAND = re.compile(r"^\| `precis ([^`]+)`", re.MULTILINE)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _text(page: Path) -> str:
    """The page without its examples, in which nothing is a link or a heading."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """What a heading is called in an address, by the rules of the usual forges."""
    headings = (found.lower() for found in HEADING.findall(_text(page)))
    return {re.sub(r"[^\w\- ]", "", each).replace(" ", "-") for each in headings}


def _leads_nowhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in _anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(_text(page)) if not link.startswith(OUTSIDE)]
    assert [link for link in links if _leads_nowhere(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = {each for each in NAMED.findall(_text(page)) if "/results/" not in each}
    assert sorted(each for each in named if not (ROOT / each).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_target_and_module_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    made = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    modules = set(re.findall(r"python -m\s+([a-z_.]+[a-z_])", text))
    assert targets <= made
    assert [each for each in sorted(modules) if find_spec(each) is None] == []


def test_the_index_of_the_decisions_has_each_once_by_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = re.findall(r"\[(.+)\]\((\d{4}[^)]+)\)", _text(folder / "README.md"))
    pages = {page.name: page for page in folder.glob("[0-9]*.md")}
    titles = {HEADING.findall(_text(page))[0]: name for name, page in pages.items()}
    assert sorted(index) == sorted(titles.items())


def _commands(command: Any, *words: str) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(words)
        return
    for name, below in inner.items():
        yield from _commands(below, *words, name)


def _told_commands() -> Iterator[str]:
    """Commands of the tables; what a bar parts in the last word stands for one each."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for line in COMMAND.findall(page):
        *before, last = [w for w in line.split(" ") if re.fullmatch(r"[a-z|\\-]+", w)]
        for each in last.split("\\|"):
            yield " ".join([*before, each])


def test_every_command_is_told_and_no_other() -> None:
    assert sorted(_told_commands()) == sorted(_commands(get_command(app)))


def test_every_call_is_told_and_no_other() -> None:
    document = create_app(cast("Gateway", SimpleNamespace(database=None))).openapi()
    calls = [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]
    assert sorted(CALL.findall(_text(ROOT / "docs" / "http.md"))) == sorted(calls)


def test_every_refusal_and_failure_is_told_as_it_is() -> None:
    def again(*, may_retry: bool) -> str:
        return "yes" if may_retry else ""

    rows = [
        (code, f"{each.status} | {each.title} | {again(may_retry=each.retryable)}")
        for code, each in PROBLEMS.items()
    ] + [
        (code, f"{each.title} | {again(may_retry=each.retryable)}")
        for code, each in FAILURES.items()
    ]
    assert sorted(ROW.findall(_text(ROOT / "docs" / "http.md"))) == sorted(rows)


def test_the_receipt_that_is_shown_is_one() -> None:
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    receipt = ErasureView.model_validate_json(shown)
    assert {store.store for store in receipt.stores} == {
        *get_args(ErasedStore.model_fields["store"].annotation)
    }


def test_the_receiver_of_the_webhooks_page_knows_us_and_nobody_else() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    told: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0], told)  # noqa: S102 - ours
    old, new, body = new_secret(), new_secret(), b'{"type": "summary.succeeded"}'
    headers = signed_headers(
        (new, old), event_id="evt_1", moment=datetime.now(UTC), body=body
    )
    assert told["is_genuine"](new, headers, body)
    assert told["is_genuine"](old, headers, body)
    assert not told["is_genuine"](new_secret(), headers, body)
    assert not told["is_genuine"](new, headers, body + b" ")
    assert not told["is_genuine"](new, headers | {"webhook-timestamp": "1"}, body)
