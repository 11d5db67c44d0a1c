"""The batch worker: claims jobs from Postgres and summarizes them on the batch pool.

Celery's threads only wait; all work runs on one event loop, which also drives the
heartbeats, so that a hung process loses its leases. Nothing here chooses a job by
what a message says.
"""
