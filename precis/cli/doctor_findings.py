"""What a check found: how bad it is, in one sentence, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """It works now, but somebody should know."""
    FAIL = "fail"
    """Something will not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    check: str
    verdict: Verdict
    told: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "told": self.told,
            "remedy": self.remedy,
        }


def ok(check: str, told: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, told=told)


def warn(check: str, told: str, *, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.WARN, told=told, remedy=remedy)


def fail(check: str, told: str, *, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.FAIL, told=told, remedy=remedy)
