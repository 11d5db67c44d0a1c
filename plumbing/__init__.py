"""Machinery that would make sense in a service that has nothing to do with summaries.

Settings, logs, health, process start and stop, the database, Kafka, sealing of
bytes, the model engine client and its pool. No module here knows what a job is.
"""
