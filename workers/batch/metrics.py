"""What the batch worker tells Prometheus; each line says what it means and what to do."""

from prometheus_client import Counter, Gauge, Histogram

JOBS_CLAIMED = Counter(
    "precis_jobs_claimed_total",
    "Jobs that this worker took. Flat while jobs wait: engines, leases, or a pause.",
)
JOBS_LEFT = Counter(
    "precis_jobs_left_total",
    "Jobs that left this worker, by the state they took.",
    ["state"],
)
JOBS_LOST = Counter(
    "precis_jobs_lease_lost_total",
    "Jobs whose lease ended under us. Rising: the worker or Postgres is too slow.",
)
JOBS_RUNNING = Gauge("precis_jobs_running", "Jobs in this worker's hands now.")
CHUNKS_DONE = Counter(
    "precis_chunks_done_total", "Chunks and merges stored by this worker."
)
ANSWERS_REFUSED = Counter(
    "precis_answers_refused_total",
    "Answers of the engine that were unusable. Rising: look at the model.",
    ["reason"],
)
MESSAGES_MALFORMED = Counter(
    "precis_messages_malformed_total",
    "Celery messages that were no claim requests. Above 0: who writes to the queue?",
)
JOB_SECONDS = Histogram(
    "precis_job_attempt_seconds",
    "How long an attempt took, from claim to leaving.",
    buckets=(0.05, 0.2, 1, 5, 20, 60, 180, 600, 1800),
)
