"""What the client does, step by step, without doing any of it. Pure generators.

Each yields what to send and how long to pause, and returns what the caller asked for.
`connection` drives them; so the blocking and the asynchronous client cannot differ.
"""

import dataclasses
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from precis.client import requests
from precis.client.erasure import Erasure
from precis.client.errors import JobFailed
from precis.client.page import ListOptions, Page
from precis.client.parsing import (
    Body,
    parse,
    read_erasure,
    read_page,
    read_partial,
    read_result,
    read_summary,
)
from precis.client.requests import Request, SubmitOptions, summary_path
from precis.client.retrying import Flow, Patience, Pause, retry_after, send
from precis.client.summary import Partial, Result, Summary

T = TypeVar("T")
OnProgress = Callable[[Summary], None]

_QUIET_POLL: Final = timedelta(seconds=30)
_LIVELY_POLL: Final = timedelta(seconds=1)
"""A poll ends early only when the job ends, so who watches it asks more often."""
_LONGEST_PAUSE: Final = timedelta(seconds=5)


def ask(request: Request, read: Callable[[Body], T], *, patience: Patience) -> Flow[T]:
    """One request and its answer, read."""
    answer = yield from send(request, patience=patience)
    return parse(answer.content, read)


def submit(
    text: str,
    options: SubmitOptions,
    *,
    wait: timedelta | None,
    is_async: bool,
    patience: Patience,
) -> Flow[Summary]:
    request = requests.submit(text, options, wait=wait, is_async=is_async)
    return (yield from ask(request, read_summary, patience=patience))


def summarize(
    text: str,
    options: SubmitOptions,
    *,
    wait: bool | timedelta,
    on_progress: OnProgress | None,
    patience: Patience,
) -> Flow[Summary]:
    summary = yield from submit(
        text, options, wait=None, is_async=False, patience=patience
    )
    if wait is False:
        return summary
    limit = wait if isinstance(wait, timedelta) else None
    return (
        yield from finish(
            summary, limit=limit, on_progress=on_progress, patience=patience
        )
    )


def get(summary_id: str, *, patience: Patience) -> Flow[Summary]:
    request = requests.summary(summary_id, etag=None)
    return (yield from ask(request, read_summary, patience=patience))


def wait(
    summary_id: str,
    *,
    limit: timedelta | None,
    on_progress: OnProgress | None,
    patience: Patience,
) -> Flow[Summary]:
    summary = yield from get(summary_id, patience=patience)
    return (
        yield from finish(
            summary, limit=limit, on_progress=on_progress, patience=patience
        )
    )


def finish(
    summary: Summary,
    *,
    limit: timedelta | None,
    on_progress: OnProgress | None,
    patience: Patience,
) -> Flow[Summary]:
    """Wait for the ending, then fetch the words; unfinished if the time ran out."""
    summary = yield from _follow(
        summary, limit=limit, on_progress=on_progress, patience=patience
    )
    if not summary.is_final or summary.text is not None:
        return summary
    if not summary.is_succeeded:
        raise JobFailed(summary)
    found = yield from result(summary.id, patience=patience)
    return _with_words(summary, found)


def result(summary_id: str, *, patience: Patience) -> Flow[Result]:
    request = requests.get(summary_path(summary_id) + "/result")
    return (yield from ask(request, read_result, patience=patience))


def partial(summary_id: str, *, patience: Patience) -> Flow[Partial]:
    request = requests.get(summary_path(summary_id) + "/partial")
    return (yield from ask(request, read_partial, patience=patience))


def cancel(summary_id: str, *, patience: Patience) -> Flow[Summary]:
    request = requests.cancel(summary_id)
    return (yield from ask(request, read_summary, patience=patience))


def delete(summary_id: str, *, patience: Patience) -> Flow[Erasure]:
    request = requests.delete(summary_id)
    return (yield from ask(request, read_erasure, patience=patience))


def erasure(erasure_id: str, *, patience: Patience) -> Flow[Erasure]:
    request = requests.get("/v1/erasures/" + quote(erasure_id, safe=""))
    return (yield from ask(request, read_erasure, patience=patience))


def summary_page(
    options: ListOptions, *, cursor: str | None, patience: Patience
) -> Flow[Page[Summary]]:
    request = requests.page("/v1/summaries", options, cursor=cursor)
    return (yield from ask(request, read_page(read_summary), patience=patience))


def _follow(
    summary: Summary,
    *,
    limit: timedelta | None,
    on_progress: OnProgress | None,
    patience: Patience,
) -> Flow[Summary]:
    """Ask where the job stands until it has ended or the time is over."""
    end = None if limit is None else time.monotonic() + limit.total_seconds()
    poll = _QUIET_POLL if on_progress is None else _LIVELY_POLL
    etag = None
    while True:
        if on_progress is not None:
            on_progress(summary)
        left = _left(end)
        if summary.is_final or left <= timedelta(0):
            return summary
        request = requests.summary(summary.id, wait=min(poll, left), etag=etag)
        answer = yield from send(request, patience=patience)
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            summary = parse(answer.content, read_summary)
            etag = answer.headers.get("ETag")
        if not summary.is_final and not _has_waited(answer):
            yield Pause(min(_pause(answer), _left(end)))


def _left(end: float | None) -> timedelta:
    if end is None:
        return timedelta.max
    return timedelta(seconds=max(0.0, end - time.monotonic()))


def _has_waited(answer: httpx.Response) -> bool:
    """Whether the service took its time; one that did not must not be asked in a rush."""
    return "wait=" in answer.headers.get("Preference-Applied", "").replace(" ", "")


def _pause(answer: httpx.Response) -> timedelta:
    return min(_LONGEST_PAUSE, retry_after(answer) or _LIVELY_POLL)


def _with_words(summary: Summary, found: Result) -> Summary:
    words: dict[str, Any] = {
        "summary": found.raw["summary"],
        "citations": found.raw["citations"],
    }
    return dataclasses.replace(
        summary,
        text=found.text,
        citations=found.citations,
        raw={**summary.raw, **words},
    )
