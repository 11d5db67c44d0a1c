from datetime import timedelta

import httpx
import pytest

from precis.client import flows
from precis.client.errors import AnswerGarbled, JobFailed
from precis.client.retrying import Patience, Reply
from precis.client.summary import Summary
from tests.unit.precis.scripted import SUMMARY_ID, Driven, answer, job, problem, result

PATIENCE = Patience(attempts=3)
WAITED = {"Preference_Applied": "wait=30", "ETag": '"1"'}


def _summarize(
    *replies: Reply, wait: bool | timedelta = True
) -> tuple[Driven, Summary]:
    driven = Driven(replies)
    flow = flows.summarize("Text.", {}, wait=wait, on_progress=None, patience=PATIENCE)
    return driven, driven.run(flow)


def test_a_short_text_takes_one_request() -> None:
    finished = job("succeeded", summary="Buses.", quality={"coverage": 1.0})
    driven, summary = _summarize(answer(200, finished))
    assert (summary.text, summary.coverage) == ("Buses.", 1.0)
    assert len(driven.requests) == 1


def test_a_long_text_is_waited_for_and_then_read() -> None:
    driven, summary = _summarize(
        answer(202, job()),
        answer(200, job("running", version=2), **WAITED),
        answer(304, **WAITED),
        answer(200, job("succeeded", version=3), **WAITED),
        answer(200, result("Buses come.")),
    )
    assert [request.path for request in driven.requests[1:]] == [
        f"/v1/summaries/{SUMMARY_ID}"
    ] * 3 + [f"/v1/summaries/{SUMMARY_ID}/result"]
    assert driven.requests[2].headers["If-None-Match"] == '"1"'
    assert driven.pauses == []
    assert summary.text == "Buses come."
    assert summary.raw["summary"] == "Buses come."
    assert summary.citations[0].source_end == 25


def test_without_waiting_the_first_answer_is_the_last() -> None:
    _, summary = _summarize(answer(202, job()), wait=False)
    assert (summary.status, summary.text) == ("queued", None)


def test_a_wait_that_runs_out_gives_the_job_as_it_stands() -> None:
    _, summary = _summarize(answer(202, job()), wait=timedelta(0))
    assert not summary.is_final


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_a_job_that_ends_otherwise_is_an_error_that_carries_it(status: str) -> None:
    ended = job(status, error=problem("worker_lost"))
    with pytest.raises(JobFailed, match=status) as caught:
        _summarize(answer(202, job()), answer(200, ended, **WAITED))
    assert caught.value.summary.id == SUMMARY_ID
    assert caught.value.summary.error is not None
    assert caught.value.summary.error.code == "worker_lost"


def test_a_service_that_does_not_wait_is_not_asked_in_a_rush() -> None:
    driven, _ = _summarize(
        answer(202, job()),
        answer(200, job("running"), Retry_After="2"),
        answer(200, job("running"), Retry_After="600"),
        answer(200, job("succeeded")),
        answer(200, result()),
    )
    assert driven.pauses == [timedelta(seconds=2), timedelta(seconds=5)]


def test_who_watches_is_told_each_state_and_asks_more_often() -> None:
    seen: list[int] = []
    running = [
        job(
            "running",
            progress={"phase": "mapping", "done": n, "total": 4, "percent": n},
        )
        for n in (1, 2)
    ]
    driven = Driven(
        [
            answer(200, job()),
            *(answer(200, each, **WAITED) for each in running),
            answer(200, job("succeeded"), **WAITED),
            answer(200, result()),
        ]
    )
    driven.run(
        flows.wait(
            SUMMARY_ID,
            limit=None,
            on_progress=lambda summary: seen.append(summary.progress.done),
            patience=PATIENCE,
        )
    )
    assert seen == [0, 1, 2, 0]
    assert {request.headers.get("Prefer") for request in driven.requests[1:4]} == {
        "wait=1"
    }


def test_a_lost_connection_while_waiting_is_not_the_end() -> None:
    _, summary = _summarize(
        answer(202, job()),
        httpx.ReadError("reset"),
        answer(503),
        answer(200, job("succeeded"), **WAITED),
        answer(200, result()),
    )
    assert summary.is_succeeded


@pytest.mark.parametrize(
    "content", [b"<html>hello</html>", b"[]", b"{}", b'{"id": 1}', b"\xff"]
)
def test_something_else_at_that_address_is_recognized(content: bytes) -> None:
    with pytest.raises(AnswerGarbled, match="belong to Precis"):
        _summarize(httpx.Response(200, content=content))


def test_what_a_newer_service_adds_does_no_harm() -> None:
    newer = job(mood="good", routing=job()["routing"] | {"predicted_s": 3})
    _, summary = _summarize(answer(202, newer), wait=False)
    assert summary.raw["mood"] == "good"


def test_neither_words_nor_citations_are_in_a_repr() -> None:
    _, summary = _summarize(answer(200, job("succeeded", summary="secret words")))
    assert "secret words" not in repr(summary)
