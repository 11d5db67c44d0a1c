"""Moves hints, heals, forgets and tells: relay, consumer, reconciler, retention, survey.

The relay takes hints from the outbox to Kafka, the consumer from Kafka to Celery.
Two dispatchers may run at once. Relay, reconciler and retention work one at a time, by
advisory locks; consumers share the partitions of one group; each surveys for itself. No
module here claims a job or reads a text.
"""
