"""Which script a text is written in: as much of its language as needs no data.

Enough to notice that a Chinese text was answered in English. Telling languages of one
script apart would need a model; that is left out.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_SCRIPTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "latin": re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+"),
        "greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]+"),
        "cyrillic": re.compile("[\u0400-\u052f]+"),
        "hebrew": re.compile("[\u0590-\u05ff]+"),
        "arabic": re.compile("[\u0600-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]+"),
        "indic": re.compile("[\u0900-\u0dff]+"),
        "thai": re.compile("[\u0e00-\u0e7f]+"),
        # Chinese, Japanese and Korean in one: Japanese mixes its own with Chinese.
        "east_asian": re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"),
    }
)

_SAMPLES = 8
_SAMPLE = 1_000  # a book is judged by samples from all over it


def script_shares(text: str) -> dict[str, float]:
    """Tell what share of the letters is of which script; empty without letters."""
    sample = _sampled(text)
    counts = {
        script: sum(map(len, shape.findall(sample)))
        for script, shape in _SCRIPTS.items()
    }
    total = sum(counts.values())
    return {script: count / total for script, count in counts.items() if count}


def _sampled(text: str) -> str:
    if len(text) <= _SAMPLES * _SAMPLE:
        return text
    step = len(text) // _SAMPLES
    return "".join(text[at : at + _SAMPLE] for at in range(0, _SAMPLES * step, step))
