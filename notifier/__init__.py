"""The messenger: claims due deliveries, sends webhooks and mail, records each attempt.

The deliveries are written by the operation that ends a job. Nothing here can
change a job.
"""
