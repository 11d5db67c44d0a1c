"""Pages that are nobody's: probes, metrics, and an explanation of every problem code.

None of them asks for a key, none tells of a tenant. Readiness means that Postgres
answers: without Kafka jobs are still accepted, without engines they still wait.
"""

import asyncio
import html
import re
import time
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api_models import Health
from gateway.openapi import problem_responses
from gateway.problems.answers import RequestRefused
from gateway.problems.catalogue import PROBLEMS
from jobs.messages.problem import FAILURES, problem_type
from plumbing.database import Database
from plumbing.health import run_checks

_REMEMBERED_SECONDS: Final = 2.0
_FIGURE: Final = re.compile(r"\{(\w+)\}")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>
"""


class Readiness:
    """Whether Postgres answers, asked at most once in two seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outcomes: dict[str, str] = {}
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def outcomes(self) -> dict[str, str]:
        async with self._asking:
            if self._until <= time.monotonic():
                self._outcomes = await run_checks({"database": self._database.ping})
                self._until = time.monotonic() + _REMEMBERED_SECONDS
            return self._outcomes


router = APIRouter(tags=["pages"])


@router.get("/healthz", response_model=Health)
async def get_health() -> Response:
    """The process turns its loop."""
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    response_model=dict[str, str],
    responses={503: {"description": "Not ready", "model": dict[str, str]}},
)
async def get_readiness(request: Request) -> Response:
    """Every check is `ok`; anything else is the class of its error."""
    readiness: Readiness = request.app.state.readiness
    outcomes = await readiness.outcomes()
    is_ready = all(outcome == "ok" for outcome in outcomes.values())
    return JSONResponse(outcomes, status_code=200 if is_ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics() -> Response:
    """What Prometheus reads."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/problems", response_class=HTMLResponse)
async def list_problems() -> Response:
    """All codes that an answer or a failed job may carry."""
    codes = sorted({*PROBLEMS, *FAILURES})
    items = (
        f'<li><a href="{problem_type(code)}">{html.escape(code)}</a></li>'
        for code in codes
    )
    body = "<ul>\n" + "\n".join(items) + "\n</ul>"
    return HTMLResponse(_PAGE.format(title="Problems", body=body))


@router.get(
    "/problems/{slug}",
    response_class=HTMLResponse,
    responses=problem_responses("not_found"),
)
async def get_problem(slug: str) -> Response:
    """What one code means and what to do about it."""
    code = slug.replace("-", "_")
    if problem_type(code) != f"/problems/{slug}" or not _sections(code):
        raise RequestRefused("not_found")
    body = "\n".join(_sections(code))
    return HTMLResponse(_PAGE.format(title=html.escape(code), body=body))


def _sections(code: str) -> list[str]:
    """As the answer to a request, and as the reason why a job failed."""
    sections = []
    if code in PROBLEMS:
        problem = PROBLEMS[code]
        lead = f"Status {problem.status}: {problem.title}"
        words = _FIGURE.sub(r"[\1]", problem.remedy)
        sections.append(_section(lead, words, may_retry=problem.retryable))
    if code in FAILURES:
        reason = FAILURES[code]
        lead = f"In a job's error: {reason.title}"
        sections.append(_section(lead, reason.detail, may_retry=reason.retryable))
    return sections


def _section(lead: str, words: str, *, may_retry: bool) -> str:
    again = (
        "It may work when sent again." if may_retry else "Sent again, it fails again."
    )
    return f"<h2>{html.escape(lead)}</h2>\n<p>{html.escape(words)}</p>\n<p>{again}</p>"
