"""Which lanes rest."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from notifier.claim_store import ClaimedDelivery
from notifier.lanes import FAILURES, LaneWatch

LANE = "host:example.com"


def a_claimed_delivery(tenant_id: UUID) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=UUID(int=9),
        fence=1,
        attempt=1,
        doubts=0,
        kind="webhook",
        lane=LANE,
        tenant_id=tenant_id,
        job_id=UUID(int=7),
        event_id="evt_7",
        event_type="summary.succeeded",
        happened_at=datetime.now(UTC),
        body=b"{}",
        endpoint_id=None,
        endpoint_state=None,
        receiver="https://example.com/",
        secret=b"",
        previous_secret=None,
    )


class Watch:
    """A clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def lanes(clock: Watch) -> LaneWatch:
    return LaneWatch(max_per_tenant=2, clock=clock)


def fail(lanes: LaneWatch, times: int) -> None:
    for _ in range(times):
        lanes.record(LANE, shows_life=False)


def test_a_lane_rests_after_failures_in_a_row(lanes: LaneWatch) -> None:
    fail(lanes, FAILURES - 1)
    assert not lanes.restraint().resting
    fail(lanes, 1)
    assert list(lanes.restraint().resting) == [LANE]


def test_a_sign_of_life_starts_the_count_anew(lanes: LaneWatch) -> None:
    fail(lanes, FAILURES - 1)
    lanes.record(LANE, shows_life=True)
    fail(lanes, 1)
    assert not lanes.restraint().resting


def test_after_a_minute_one_delivery_finds_out(lanes: LaneWatch, clock: Watch) -> None:
    fail(lanes, FAILURES)
    clock.now = 61
    assert not lanes.restraint().resting
    assert list(lanes.restraint().trying) == [LANE]
    fail(lanes, 1)
    assert list(lanes.restraint().resting) == [LANE]
    clock.now = 122
    lanes.record(LANE, shows_life=True)
    assert not lanes.restraint().trying


def test_a_tenant_with_its_share_of_slots_is_crowded(lanes: LaneWatch) -> None:
    delivery = a_claimed_delivery(tenant_id=UUID(int=1))
    lanes.take(delivery)
    assert not lanes.restraint().crowded
    lanes.take(delivery)
    assert list(lanes.restraint().crowded) == [UUID(int=1)]
    lanes.give_back(delivery)
    assert not lanes.restraint().crowded
