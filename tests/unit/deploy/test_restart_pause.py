"""A process that dies again and again waits longer each time, but never for long."""

from datetime import timedelta

from deploy.local.restart_pause import RestartPause


def _die_at_once(pause: RestartPause, times: int) -> list[timedelta]:
    pauses = []
    for _ in range(times):
        pause.begin(0.0)
        pauses.append(pause.after_death(1.0))
    return pauses


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    pauses = _die_at_once(RestartPause(), 9)
    assert [pause.total_seconds() for pause in pauses] == [
        0.5, 1, 2, 4, 8, 16, 30, 30, 30,
    ]  # fmt: skip


def test_a_life_of_half_a_minute_starts_the_pauses_over() -> None:
    pause = RestartPause()
    _die_at_once(pause, 5)
    pause.begin(100.0)
    assert pause.after_death(130.0) == timedelta(seconds=0.5)


def test_a_shorter_life_does_not() -> None:
    pause = RestartPause()
    _die_at_once(pause, 5)
    pause.begin(100.0)
    assert pause.after_death(129.0) == timedelta(seconds=16)
