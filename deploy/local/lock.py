"""Renews requirements/*.txt: versions and hashes of everything, and no addresses.

Three files: what setting up needs before anything else, what the services need, and
what a developer's machine needs (the local servers and all tools with it).
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCKS: Final = {
    "setup": ("--group", "setup"),
    "runtime": ("pyproject.toml",),
    "dev": (
        *("pyproject.toml", "--extra", "local"),
        *("--group", "setup", "--group", "build", "--group", "test", "--group", "lint"),
    ),
}


def main() -> None:
    uv = Path(sys.executable).with_name("uv")
    for name, sources in LOCKS.items():
        subprocess.run(  # noqa: S603 - our own arguments
            [
                *(uv, "pip", "compile", "--quiet", "--system-certs", "--universal"),
                *("--generate-hashes", "--no-emit-index-url", "--no-header"),
                *("--output-file", f"requirements/{name}.txt", *sources),
            ],
            cwd=ROOT,
            check=True,
        )


if __name__ == "__main__":
    main()
