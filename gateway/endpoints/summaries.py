"""POST /v1/summaries: the one endpoint through which texts come in.

It reads the request by hand, not through FastAPI's binding, so that each fault gets
its own code, and tells how it ended. What is done in between is `ordering`'s.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from gateway.api_models import SUMMARY_LINKS, SummaryView
from gateway.context import Gateway, gateway_of
from gateway.endpoints.summary_answers import summary_answer
from gateway.openapi import problem_responses, request_body
from gateway.ordering.submission import SubmissionBody
from gateway.ordering.taking import Outcome, take_order, wait_for_end
from gateway.parts.authentication import Caller, authenticate
from gateway.requests.preferences import Preferences, parse_prefer
from gateway.requests.query_parameters import read_parameters

_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "short": {
        "summary": "A short text, answered at once where the realtime tier has room",
        "value": {"text": "The council met on Tuesday. It voted for new buses."},
    },
    "long": {
        "summary": "A report, with who is to be told and by when",
        "value": {
            "text": "A very long report.",
            "options": {"length": 300, "citations": True},
            "tier": "auto",
            "delivery": {
                "webhook": "https://hooks.example.com/precis",
                "email": ["reader@example.com"],
            },
            "metadata": {"folder": "reports"},
        },
    },
}
_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body give the same job for 72 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=n` (seconds, to 60) or `respond-async`.",
        "schema": {"type": "string", "examples": ["wait=30"]},
    },
]
_PROBLEMS: Final = problem_responses(
    "empty_body",
    "invalid_encoding",
    "malformed_json",
    "duplicate_member",
    "json_too_complex",
    "idempotency_key_invalid",
    "body_too_slow",
    "key_outstanding",
    "body_too_large",
    "text_too_long",
    "text_too_long_for_realtime",
    "unsupported_media_type",
    "unsupported_encoding",
    "unknown_field",
    "missing_field",
    "wrong_type",
    "invalid_value",
    "deadline_out_of_range",
    "number_out_of_range",
    "invalid_character",
    "text_empty",
    "not_text",
    "key_reused",
    "endpoint_unknown",
    "address_blocked",
    "email_invalid",
    "gone",
    "realtime_unavailable",
    "model_output_invalid",
    "database_unavailable",
    "quota_exceeded",
    "temporary_reduced_capacity",
    "storage_full",
)


class _PlainRoute(APIRoute):
    """Documented as any other; called with the request and nothing around it.

    The endpoint reads its request and writes its answer itself, so FastAPI's
    machinery for both would only cost time on the one path that has to be fast.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


router = APIRouter(tags=["summaries"], route_class=_PlainRoute)


@router.post(
    "/v1/summaries",
    response_model=SummaryView,
    responses={
        200: {
            "description": "Finished: the job with its summary.",
            "links": SUMMARY_LINKS,
        },
        202: {
            "model": SummaryView,
            "description": "Accepted: the job, to be asked for.",
            "links": SUMMARY_LINKS,
        },
        **_PROBLEMS,
    },
    openapi_extra={
        **request_body(SubmissionBody, examples=_EXAMPLES),
        "parameters": _HEADERS,
    },
)
async def create_summary(request: Request) -> Response:
    """Summarize a text: at once where it is short, else as a job."""
    caller = await authenticate(request)
    gateway = gateway_of(request)
    read_parameters(request.query_params.multi_items())
    preferences = parse_prefer(request.headers.get("prefer"))
    outcome = await _order(request, caller, preferences, gateway=gateway)
    if outcome.may_wait:
        outcome = await wait_for_end(
            outcome, wait=preferences.wait, caller=caller, gateway=gateway
        )
    return summary_answer(request, outcome, gateway=gateway, preferences=preferences)


(create_route,) = (each for each in router.routes if isinstance(each, APIRoute))


async def _order(
    request: Request, caller: Caller, preferences: Preferences, *, gateway: Gateway
) -> Outcome:
    """A call of its own, so that its end lets go of the body: who waits holds none."""
    async with gateway.bodies.reading(request, tenant_id=caller.tenant_id) as raw:
        return await take_order(
            raw, request, caller=caller, preferences=preferences, gateway=gateway
        )
