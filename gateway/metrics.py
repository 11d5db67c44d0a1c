"""What the gateway counts, each with its meaning and what to do about it.

Labels are routes, codes and reasons of ours; no tenant, id or text is one.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS: Final = Histogram(
    "precis_gateway_request_seconds",
    "Time from a request's head to its answer's end. Slow with a calm engine: look "
    "at Postgres.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REQUESTS_IN_FLIGHT: Final = Gauge(
    "precis_gateway_requests_in_flight",
    "Requests being answered now. Rising without end: add a gateway.",
)
ROUTED: Final = Counter(
    "precis_gateway_routed_total",
    "Accepted requests by tier and reason. Many `pool_saturated`: add realtime "
    "engines; any `pool_down`: look at them.",
    ["tier", "reason"],
)
HANDED_OVER: Final = Counter(
    "precis_gateway_handed_over_total",
    "Realtime calls that batch took over, by reason. `too_slow` rising: the pool is "
    "at its limit; `output_unusable`: look at the model.",
    ["reason"],
)
TURNED_AWAY: Final = Counter(
    "precis_gateway_turned_away_total",
    "Requests refused for want of room, by code. `quota_exceeded`: one tenant brings "
    "more than it may; `temporary_reduced_capacity`: add workers or engines; "
    "`storage_full`: make room on Postgres's disk now.",
    ["code"],
)
TEXT_TOKENS: Final = Counter(
    "precis_gateway_tokens_total",
    "Tokens of accepted texts by tier. The work that the engines have before them.",
    ["tier"],
)
