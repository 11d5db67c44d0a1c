"""What the dispatcher tells Prometheus; each line says what it means and what to do."""

from prometheus_client import Counter, Gauge

HINTS_RELAYED = Counter(
    "precis_hints_relayed_total",
    "Hints sent from the outbox to Kafka. Flat while jobs arrive: Kafka is away.",
)
HINTS_HANDED_OVER = Counter(
    "precis_hints_handed_over_total", "Hints handed from Kafka to Celery."
)
HINTS_DROPPED = Counter(
    "precis_hints_dropped_total",
    "Hints that came while nothing was due; harmless doubles.",
)
HINTS_REPLACED = Counter(
    "precis_hints_replaced_total",
    "Wake-ups sent because hints were lost. Rising: look at Kafka and Valkey.",
)
DEAD_LETTERS = Counter(
    "precis_dead_letters_total",
    "Records that were no hints of ours. Above 0: find out who writes to the topic.",
)
JOBS_SWEPT = Counter(
    "precis_jobs_swept_total",
    "Jobs taken away from workers that lost them. Rising: workers die or hang.",
)
ROOM = Gauge(
    "precis_batch_room",
    "Jobs that the batch tier could take now. At 0 the backlog waits in Kafka.",
)
OUTBOX_AGE = Gauge(
    "precis_outbox_oldest_seconds",
    "Age of the oldest hint not yet in Kafka. Above 60: Kafka or the relay is away.",
)
RETENTION_OVERDUE = Gauge(
    "precis_retention_overdue_seconds",
    "How long the oldest text or summary is overdue for deletion. Above 600: look for "
    "errors of the retention loop; above 3600 the promise is broken.",
    ["kind"],
)
RETENTION_DROPPED = Counter(
    "precis_retention_dropped_total",
    "What retention let go, by kind. Flat while `overdue` rises: it is stuck.",
    ["kind"],
)
