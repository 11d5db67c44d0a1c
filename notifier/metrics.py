"""The notifier's metrics: each with its meaning and, where there is one, its remedy.

No metric names a tenant, an endpoint or a host. Two notifiers in one process (tests)
take a registry each.
"""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60)


class NotifierMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.attempts = Counter(
            "precis_delivery_attempts",
            "Attempts by what followed; `due` is a failure that is tried again. Many "
            "`exhausted` or `blocked` are the receivers' trouble, seen in their lists.",
            ("kind", "step"),
            registry=registry,
        )
        self.seconds = Histogram(
            "precis_delivery_attempt_seconds",
            "How long attempts took; many at the limit are receivers that hang.",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.first_attempt_lag = Histogram(
            "precis_delivery_first_attempt_lag_seconds",
            "From a job's ending to the first attempt to tell of it; promised are 5 "
            "seconds for 99 of 100. If it grows, start another notifier.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "precis_deliveries_in_flight",
            "Deliveries being sent now; at its limit, start another notifier.",
            registry=registry,
        )
        self.lanes_resting = Gauge(
            "precis_delivery_lanes_resting",
            "Lanes left alone for a minute after failures in a row. All at once: look "
            "at the way out (DNS, proxy, relay), not at the receivers.",
            registry=registry,
        )
        self.leases_lapsed = Counter(
            "precis_delivery_leases_lapsed",
            "Deliveries whose notifier went silent; they were repeated.",
            registry=registry,
        )
        self.endpoints_disabled = Counter(
            "precis_webhook_endpoints_disabled",
            "Endpoints disabled because they said gone or failed for five days.",
            registry=registry,
        )
