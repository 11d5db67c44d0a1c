"""Celery, as far as we use it: one queue, one task, JSON, early acknowledgement.

Late acknowledgement, rejects and visibility time-outs would only add redelivery
loops: the lease in Postgres heals what a lost message leaves. Results, canvas, ETA
and remote control are not used.
"""

from typing import Final

from celery import Celery

QUEUE: Final = "precis.batch"
TASK: Final = "precis.claim"


def create_celery(redis_url: str) -> Celery:
    """The application for both ends: the dispatcher sends, the worker runs."""
    app = Celery("precis", broker=redis_url)
    app.conf.update(
        accept_content=["json"],
        # A broker that refuses, or talks nonsense, is away like any other: without this a
        # worker that meets one takes no message more, and ends when its jobs have ended.
        broker_channel_error_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            # A worker whose line is dead without a word sees it after twice this time.
            "health_check_interval": 5,
            "visibility_timeout": 3600,
        },
        result_backend=None,
        task_acks_late=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app
