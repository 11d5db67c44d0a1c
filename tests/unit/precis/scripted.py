"""Drives a flow by a list of replies, and keeps what it wanted done: nothing waits."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from precis.client.requests import Request
from precis.client.retrying import Flow, Pause, Reply, Send

T = TypeVar("T")
SUMMARY_ID = "sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b"


class Driven:
    """The flow's steps so far; `run` gives its result or raises its error."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)
        self.requests: list[Request] = []
        self.pauses: list[timedelta] = []

    def run(self, flow: Flow[T]) -> T:
        reply: Reply = None
        started = False
        while True:
            try:
                step = flow.send(reply) if started else next(flow)
            except StopIteration as end:
                assert not self._replies, "replies were left over"
                result: T = end.value
                return result
            started = True
            reply = self._answer(step)

    def _answer(self, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            self.pauses.append(step.delay)
            return None
        self.requests.append(step.request)
        return self._replies.pop(0)


def job(status: str = "queued", **changes: Any) -> dict[str, Any]:
    """A job object as the service sends it."""
    return {
        "id": SUMMARY_ID,
        "object": "summary",
        "status": status,
        "version": 1,
        "deadline": "2026-11-22T10:00:00.000Z",
        "cancel_requested": False,
        "tier": "batch",
        "routing": {
            "tier": "batch",
            "reason": "long_text",
            "tokens": 9000,
            "threshold": 3000,
        },
        "created_at": "2026-11-21T10:00:00.000Z",
        "started_at": None,
        "finished_at": None,
        "attempt": 0,
        "progress": {"phase": "waiting", "done": 0, "total": 0, "percent": 0},
        "eta": None,
        "summary": None,
        "citations": None,
        "quality": None,
        "usage": None,
        "provenance": None,
        "warnings": [],
        "error": None,
        "metadata": {},
        "links": {},
    } | changes


def result(text: str = "Buses come.") -> dict[str, Any]:
    return {
        "id": SUMMARY_ID,
        "summary": text,
        "citations": [
            {
                "sentence_index": 0,
                "sentence_start": 0,
                "sentence_end": 11,
                "source_start": 5,
                "source_end": 25,
                "score": 0.9,
            }
        ],
        "quality": {"coverage": 1.0},
        "usage": None,
        "provenance": None,
        "warnings": [],
    }


def problem(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": f"/problems/{code}",
        "title": "A title",
        "status": None,
        "detail": "What to do.",
        "instance": None,
        "code": code,
        "request_id": "req-1",
        "errors": [],
        "retryable": False,
    } | changes


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers=named)
