"""docs/metrics.md has every metric of ours, in the words that Prometheus gets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import gateway.metrics
import workers.batch.metrics
import workers.dispatcher.metrics
from notifier.metrics import NotifierMetrics

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
TELLING: dict[str, Any] = {
    "Gateway": gateway.metrics,
    "Dispatcher": workers.dispatcher.metrics,
    "Worker": workers.batch.metrics,
    "Notifier": NotifierMetrics(CollectorRegistry()),
}


def _lines(telling: Any) -> Iterator[str]:
    for metric in vars(telling).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(f"`{each}`" for each in metric._labelnames)
            yield f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


@pytest.mark.parametrize("process", TELLING)
def test_every_metric_is_told_in_its_own_words(process: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition(f"\n## {process}\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `.*\|$", section, re.MULTILINE)
    assert sorted(told) == sorted(_lines(TELLING[process]))
