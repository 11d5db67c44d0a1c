"""What an explanation says of each way in which a job can stand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from jobs.batch_load import BatchLoad
from jobs.lifecycle import State
from jobs.operations.explain import COUNTED_UP_TO, Explanation, Standing
from jobs.store.line_store import Place
from jobs.store.pause_store import Pause, Scope
from precis.cli.explaining_words import find_reasons

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
QUEUED = Standing(
    id=UUID(int=1),
    tenant_id=UUID(int=2),
    tenant="acme",
    weight=1,
    state=State.QUEUED,
    tier="batch",
    routing_reason="asked",
    tokens=10,
    attempt=0,
    fence=0,
    version=1,
    suspect=False,
    cancel_requested=False,
    created_at=NOW - 60 * SECOND,
    run_at=NOW - 60 * SECOND,
    deadline=NOW + timedelta(hours=1),
    started_at=None,
    finished_at=None,
    erased_at=None,
    lease_until=None,
    worker_id=None,
    last_error=None,
    error_code=None,
    tag=10,
    is_aside=False,
    lane_tail=20,
    clock=0,
    now=NOW,
)
RUNNING = replace(
    QUEUED,
    state=State.RUNNING,
    attempt=1,
    worker_id="w",
    lease_until=NOW + 30 * SECOND,
)
RETRYING = replace(
    QUEUED,
    state=State.RETRY_WAIT,
    attempt=2,
    run_at=NOW + 40 * SECOND,
    last_error="attempt_stuck",
)
FREE = BatchLoad(workers=1, slots=8, running=0, due=1)
NEXT = Place(ahead=0, of_tenant=0, other_tenants=0)


def explained(standing: Standing, **changes: Any) -> list[tuple[str, str]]:
    values: dict[str, Any] = {
        "standing": standing,
        "place": NEXT if standing.state is State.QUEUED else None,
        "pauses": (),
        "load": FREE,
        "history": (),
    }
    return [
        (code, told) for code, told in find_reasons(Explanation(**values | changes))
    ]


def codes(standing: Standing, **changes: Any) -> list[str]:
    return [code for code, _ in explained(standing, **changes)]


def a_pause(step: str = "paused") -> Pause:
    return Pause(
        scope=Scope.TENANT,
        name="acme",
        tenant_id=QUEUED.tenant_id,
        step=step,
        actor="ada",
        since=NOW,
    )


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (FREE, ["next"]),
        (BatchLoad(workers=0, slots=0, running=0, due=1), ["no_worker", "next"]),
        (BatchLoad(workers=2, slots=0, running=0, due=1), ["engines_away", "next"]),
        (BatchLoad(workers=1, slots=8, running=8, due=1), ["busy", "next"]),
    ],
)
def test_a_queued_job_tells_what_is_missing(load: BatchLoad, told: list[str]) -> None:
    assert codes(QUEUED, load=load) == told


def test_a_place_beyond_counting_is_told_as_such() -> None:
    place = Place(ahead=COUNTED_UP_TO, of_tenant=3, other_tenants=2)
    [(code, told)] = explained(QUEUED, place=place)
    assert code == "in_line"
    assert told.startswith(f"more than {COUNTED_UP_TO} jobs come before it: 3 of")


def test_a_pause_names_who_made_it_and_what_ends_it() -> None:
    [(code, told)] = explained(QUEUED, pauses=(a_pause(),), place=None)
    assert code == "tenant_paused"
    assert "by ada" in told
    assert "precis admin resume tenant acme" in told
    [(_, resuming)] = explained(QUEUED, pauses=(a_pause("resuming"),), place=None)
    assert "precis admin" not in resuming


def test_no_slots_while_paused_is_no_trouble_with_engines() -> None:
    load = BatchLoad(workers=1, slots=0, running=0, due=0)
    assert codes(QUEUED, pauses=(a_pause(),), load=load, place=None) == [
        "tenant_paused"
    ]


def test_a_job_left_aside_after_its_pause_is_told() -> None:
    assert codes(replace(QUEUED, is_aside=True), place=None) == ["aside"]


@pytest.mark.parametrize(
    ("late", "asks"), [(5 * SECOND, False), (60 * SECOND, True)], ids=["soon", "long"]
)
@pytest.mark.parametrize(
    ("standing", "field", "code"),
    [
        (QUEUED, "deadline", "deadline_passed"),
        (RETRYING, "run_at", "retry_due"),
        (RUNNING, "lease_until", "lease_lapsed"),
    ],
)
def test_what_a_dispatcher_should_have_done_long_ago_asks_for_one(
    standing: Standing, field: str, code: str, late: timedelta, *, asks: bool
) -> None:
    [(found, told)] = explained(replace(standing, **{field: NOW - late}))  # type: ignore[arg-type]
    assert (found, "is a dispatcher running?" in told) == (code, asks)


def test_a_wait_between_attempts_tells_how_long_and_why() -> None:
    [(code, told)] = explained(RETRYING)
    assert code == "retry_wait"
    assert "attempt_stuck: 40 s more. 2 of 5" in told


def test_a_running_job_tells_its_worker_and_what_is_odd_about_it() -> None:
    odd = replace(RUNNING, cancel_requested=True, suspect=True)
    assert codes(odd) == ["running", "cancel_requested", "suspect"]


def test_an_ending_is_all_there_is_to_tell() -> None:
    ended = replace(QUEUED, state=State.FAILED, error_code="worker_lost")
    load = BatchLoad(workers=0, slots=0, running=0, due=0)
    [(code, told)] = explained(ended, load=load, place=None)
    assert (code, told) == ("ended", "It ended as failed because of worker_lost.")
