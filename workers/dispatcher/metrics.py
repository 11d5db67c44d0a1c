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
DUE_AGE = Gauge(
    "precis_due_oldest_seconds",
    "How long the oldest of the next 1000 jobs in line has been due. Rising while "
    "`precis_batch_room` is 0: add workers or engines; while it is not: see "
    "`precis_hints_replaced_total`.",
)
DELIVERY_AGE = Gauge(
    "precis_delivery_oldest_seconds",
    "How late the latest delivery's next attempt is. Above 60 with few late lanes: "
    "these receivers are slow or rest; with many: start a notifier.",
)
DELIVERY_LANES_LATE = Gauge(
    "precis_delivery_lanes_late",
    "Receivers whose next attempt is more than 60 seconds late. Nearly all: no "
    "notifier works, or the way out is shut.",
)
DEAD_ROWS = Gauge(
    "precis_dead_rows",
    "Rows that vacuum has yet to take, by table. Rising for hours: look at "
    "`precis_oldest_snapshot_seconds`, then at autovacuum.",
    ["table"],
)
OLDEST_SNAPSHOT = Gauge(
    "precis_oldest_snapshot_seconds",
    "Age of the oldest transaction that keeps vacuum from dead rows. Above 3600: end "
    "it (a backup, a forgotten session, a report), claims grow slow meanwhile.",
)
RETENTION_OVERDUE = Gauge(
    "precis_retention_overdue_seconds",
    "Erasure lag: how long the oldest text or summary is overdue for deletion. Above "
    "600: look for errors of the retention loop; above 3600 the promise is broken. "
    "What a tenant erases is gone at once.",
    ["kind"],
)
RETENTION_DROPPED = Counter(
    "precis_retention_dropped_total",
    "What retention let go, by kind. Flat while `overdue` rises: it is stuck.",
    ["kind"],
)
