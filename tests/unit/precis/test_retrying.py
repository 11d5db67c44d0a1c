from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from precis.client import requests
from precis.client.errors import (
    Busy,
    Conflict,
    Gone,
    InvalidRequest,
    NoResult,
    NotFinished,
    NotFound,
    NotReachable,
    Refused,
    TooLarge,
    Unauthorized,
)
from precis.client.retrying import Patience, Reply, retry_after, send
from tests.unit.precis.scripted import Driven, answer, problem

PATIENCE = Patience(attempts=4)
SUBMIT = requests.submit("Text.", {}, wait=None, is_async=False)
GET = requests.get("/v1/summaries")
CREATE = requests.change("POST", "/v1/webhook-endpoints", {"url": "https://x.example"})
LOST = httpx.ReadError("connection reset")
AWAY = httpx.ConnectError("connection refused")


def _send(request: requests.Request, *replies: Reply) -> tuple[Driven, httpx.Response]:
    driven = Driven(replies)
    return driven, driven.run(send(request, patience=PATIENCE))


@pytest.mark.parametrize(
    "trouble",
    [LOST, AWAY, httpx.ReadTimeout("slow"), answer(429), answer(502), answer(503)],
)
def test_trouble_that_passes_is_met_with_the_very_same_request(trouble: Reply) -> None:
    driven, reply = _send(SUBMIT, trouble, trouble, answer(202))
    assert reply.status_code == 202
    assert len(driven.requests) == 3
    assert all(request is SUBMIT for request in driven.requests)


def test_retry_after_is_honoured_to_the_second() -> None:
    driven, _ = _send(GET, answer(503, Retry_After="7"), answer(200))
    assert driven.pauses == [timedelta(seconds=7)]


@pytest.mark.parametrize("shown", ["9" * 12, "9" * 5_000])
def test_a_retry_after_of_centuries_is_not_waited_for(shown: str) -> None:
    asked = retry_after(answer(503, Retry_After=shown))
    assert asked is not None
    assert asked > Patience().longest_retry_after


def test_retry_after_may_be_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=30)
    asked = retry_after(answer(503, Retry_After=format_datetime(moment, usegmt=True)))
    assert asked is not None
    assert timedelta(seconds=28) < asked <= timedelta(seconds=30)


@pytest.mark.parametrize("shown", ["", "soon", "-1", "1.5", "٣"])
def test_a_retry_after_that_says_nothing_is_passed_over(shown: str) -> None:
    reply = httpx.Response(503, headers=[(b"Retry-After", shown.encode())])
    assert retry_after(reply) is None


def test_without_retry_after_the_pauses_grow_but_stay_bounded() -> None:
    driven = Driven([LOST] * 8)
    patience = Patience(attempts=8, ceiling=timedelta(seconds=3))
    with pytest.raises(NotReachable):
        driven.run(send(GET, patience=patience))
    bounds = [timedelta(seconds=0.5 * 2**n) for n in range(7)]
    assert len(driven.pauses) == 7
    assert all(
        pause <= min(bound, timedelta(seconds=3))
        for pause, bound in zip(driven.pauses, bounds, strict=True)
    )


def test_patience_ends() -> None:
    driven = Driven([AWAY] * 4)
    with pytest.raises(NotReachable, match="connection refused"):
        driven.run(send(GET, patience=PATIENCE))
    assert len(driven.requests) == 4


def test_a_service_that_names_hours_is_not_waited_for() -> None:
    with pytest.raises(Busy) as caught:
        _send(GET, answer(429, problem("rate_limited"), Retry_After="7200"))
    assert caught.value.retry_after == timedelta(hours=2)


def test_the_first_call_of_a_key_is_waited_for() -> None:
    outstanding = answer(409, problem("key_outstanding"), Retry_After="3")
    driven, _ = _send(SUBMIT, outstanding, answer(202))
    assert driven.pauses == [timedelta(seconds=3)]


def test_a_result_that_is_not_there_yet_is_told_at_once() -> None:
    with pytest.raises(NotFinished):
        _send(GET, answer(409, problem("not_finished"), Retry_After="3"))


@pytest.mark.parametrize("trouble", [LOST, httpx.ReadTimeout("slow"), answer(502)])
def test_what_may_have_been_done_is_not_done_twice(trouble: Reply) -> None:
    driven = Driven([trouble])
    with pytest.raises((NotReachable, Busy)):
        driven.run(send(CREATE, patience=PATIENCE))


@pytest.mark.parametrize("trouble", [AWAY, answer(429), answer(503)])
def test_what_surely_was_not_done_is_tried_again(trouble: Reply) -> None:
    driven, _ = _send(CREATE, trouble, answer(201))
    assert len(driven.requests) == 2


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", InvalidRequest),
        (401, "unauthorized", Unauthorized),
        (404, "not_found", NotFound),
        (409, "no_result", NoResult),
        (409, "too_many_endpoints", Conflict),
        (410, "gone", Gone),
        (413, "text_too_long", TooLarge),
        (422, "unknown_field", InvalidRequest),
        (500, "internal_error", Refused),
    ],
)
def test_each_refusal_has_its_class(
    status: int, code: str, kind: type[Refused]
) -> None:
    errors = [{"pointer": "/options/size", "code": code}]
    with pytest.raises(Refused) as caught:
        _send(GET, answer(status, problem(code, errors=errors)))
    assert type(caught.value) is kind
    assert caught.value.problem.request_id == "req-1"
    assert "What to do" in str(caught.value)
    assert "/options/size" in str(caught.value)


def test_a_proxys_page_becomes_a_problem_by_its_status() -> None:
    page = httpx.Response(404, content=b"<html>nginx</html>")
    with pytest.raises(NotFound) as caught:
        _send(GET, page)
    assert caught.value.problem.code == "not_found"
    assert "nginx" not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with pytest.raises(Refused, match="Moved Permanently"):
        _send(GET, answer(301, Location="https://elsewhere.example/"))
