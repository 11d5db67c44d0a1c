"""The demo, as a stranger types it: all processes real, every claim checked by itself."""

import re
import subprocess
import sys


def test_the_demo_shows_everything_true_and_leaves_nothing_behind() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "precis", "demo"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    told = demo.stdout + demo.stderr
    assert demo.returncode == 0, told
    assert demo.stdout.rstrip().endswith("demo: ok"), told
    for claim in (
        r"by the realtime tier, because: short_text",
        r"\d+ chunks done, coverage 1\.0",
        r"webhook summary\.succeeded, verified",
        r"mail “Your summary is ready”",
        r"one job, sum_[0-9a-f]{32}",
        r"the consumer group has committed \d+ hints",
        r"Celery: task \S+ ran the job",
        r"no process is left",
    ):
        assert re.search(rf"✓ .*{claim}", demo.stdout), f"{claim} is missing in {told}"
