"""Moves hints and heals: relay (outbox to Kafka), consumer (Kafka to Celery), reconciler.

Two dispatchers may run at once. The relay and the reconciler work one at a time,
by an advisory lock; consumers share the partitions of one group. No module here
claims a job or reads a text.
"""
