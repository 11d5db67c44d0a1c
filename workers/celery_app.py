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
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
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
