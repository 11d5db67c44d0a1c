"""`python -m tests.figures`: writes docs/reliability.md from what was recorded."""

from pathlib import Path
from typing import Final

from tests.figures.writing import PAGE, write_page

_ROOT: Final = Path(__file__).resolve().parents[2]


def main() -> None:
    (_ROOT / PAGE).write_text(write_page(_ROOT))


if __name__ == "__main__":
    main()
