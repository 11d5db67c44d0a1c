"""Moves hints, heals and forgets: relay, consumer, reconciler, retention.

The relay takes hints from the outbox to Kafka, the consumer from Kafka to Celery.
Two dispatchers may run at once. Relay, reconciler and retention work one at a time,
by advisory locks; consumers share the partitions of one group. No module here
claims a job or reads a text.
"""
