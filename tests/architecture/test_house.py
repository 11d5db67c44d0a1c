"""The rules of the house that no linter knows; docs/decisions says why they are."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "precis",
    "gateway",
    "workers",
    "realtime",
    "notifier",
    "jobs",
    "plumbing",
    "migrations",
    "deploy",
)
MODULES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "versions" not in path.parts
)
MAX_LINES = 250

# The edges of loops, processes and tasks: the only places that may catch anything.
CATCH_ALL = {
    "plumbing/process.py",
    "plumbing/repeating.py",
    "plumbing/group_commit.py",
    "plumbing/health.py",
    "gateway/doorway.py",
    "notifier/sending_loop.py",
    "workers/batch/attempt.py",
}
READS_ENVIRONMENT = {"plumbing/settings.py"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield _name(path), ast.parse(path.read_text())


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_why_it_exists_and_stays_short(path: Path) -> None:
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source)), "a module opens with why it exists"
    assert len(source.splitlines()) <= MAX_LINES, "would two names say more than one?"


def test_package_files_hold_a_docstring_and_no_code() -> None:
    with_code = [
        name
        for name, tree in _trees()
        if name.endswith("__init__.py") and len(tree.body) > 1
    ]
    assert with_code == ["precis/__init__.py"]


def test_everything_is_caught_only_at_the_edges() -> None:
    def catches_all(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        caught = "BaseException" if node.type is None else ast.unparse(node.type)
        passes_on = isinstance(node.body[-1], ast.Raise)
        return caught in {"Exception", "BaseException"} and not passes_on

    found = {name for name, tree in _trees() if any(map(catches_all, ast.walk(tree)))}
    assert found <= CATCH_ALL


def test_the_environment_is_read_in_one_place() -> None:
    def reads(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and ast.unparse(node) in {
            "os.environ",
            "os.getenv",
        }

    found = {name for name, tree in _trees() if any(map(reads, ast.walk(tree)))}
    # The local stack builds the environment of its children.
    ours = {name for name in found if not name.startswith("deploy/local/")}
    assert ours <= READS_ENVIRONMENT


def test_one_module_commits() -> None:
    def commits(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"commit", "rollback"}
        )

    found = {name for name, tree in _trees() if any(map(commits, ast.walk(tree)))}
    # Alembic's own transactions; Kafka's consumer commits offsets, not rows.
    others = {"migrations/upgrade.py", "workers/dispatcher/consumer_loop.py"}
    assert found - others <= {"plumbing/database.py", "plumbing/kafka_client.py"}


def test_names_say_what_they_are() -> None:
    attics = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert [p for p in MODULES if p.stem in attics or p.parent.name in attics] == []


def test_no_committed_file_names_a_package_registry() -> None:
    hosts = "|".join(("py" + "pi", "python" + "hosted", "mav" + "en", "npm" + "js"))
    names = re.compile(rf"https?://[a-z0-9.-]*({hosts}|crates\.io)")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    guilty = [
        name
        for name in tracked
        if name and (ROOT / name).is_file()
        if names.search((ROOT / name).read_text(errors="replace"))
    ]
    assert guilty == []
