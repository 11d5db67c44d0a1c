"""Every line of the list of bad inputs that these endpoints can meet has a test."""

import re
import subprocess
import sys
from pathlib import Path

# Others belong to the proxy in front, to sending, or to later parts of the service.
LINES = {
    *range(1, 4),
    *range(11, 14),
    19,
    *range(21, 56),
    *range(58, 61),
    62,
    *range(64, 73),
    74,
    75,
    *range(77, 85),
    *range(86, 99),
    100,
    101,
}
# Tested where they happen: at each attempt to send.
AT_SENDING = {96}


def test_no_line_is_missing() -> None:
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", Path(__file__).parent],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    numbered = re.compile(r"::test_(\d+)_|\[(\d+)[-\]]")
    found = {int(a or b) for a, b in numbered.findall(collected.stdout)}
    assert found >= LINES - AT_SENDING
