"""Loaded by Python at its start where this folder is on the path: what is it to break?

Told of a mutant it changes sources as they are loaded; told of an injection it has the
module beside it let a part of all calls fail.

A change that does not fit ends the process: a mutant that is none would prove nothing.
Standard library only, because it runs before anything else.
"""

import importlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import decode_source
from types import ModuleType
from typing import Any

CHANGES: list[dict[str, Any]] = json.loads(os.environ.get("CHAOS_MUTANT", "[]"))


class _Changed(importlib.machinery.SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if not path.endswith(".py"):
            # No cached bytecode: it is that of the unchanged source.
            raise OSError(path)
        source = decode_source(data)
        for change in CHANGES:
            if change["module"] == self.name:
                if source.count(change["old"]) != change["times"]:
                    os.write(2, f"the mutant no longer fits {path}\n".encode())
                    os._exit(70)
                source = source.replace(change["old"], change["new"])
        return source.encode()

    def _cache_bytecode(self, *_: object) -> None:
        pass


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if all(change["module"] != name for change in CHANGES):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Changed(name, spec.origin)
        return spec


if CHANGES:
    sys.meta_path.insert(0, _Finder())
if "CHAOS_INJECTION" in os.environ:
    importlib.import_module("injection").install()
