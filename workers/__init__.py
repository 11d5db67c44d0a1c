"""The batch tier: hints from the outbox through Kafka to Celery, and the work itself.

`dispatcher` (relay, consumer, reconciler) moves hints and heals; `batch` claims
jobs from Postgres and summarizes them on the batch pool.
"""
