"""What a webhook says: the fact that a job ended, and the job object without content.

Thin on purpose: summary and citations are null, so that a receiver's logs hold no
customer's text. The time is that of the ending, so building it twice gives the same
bytes; they are frozen with the event at the first attempt all the same.
"""

import json
from datetime import datetime

from jobs.job import Job
from jobs.messages.job_object import job_object, show_time


def webhook_body(event_type: str, *, happened_at: datetime, job: Job) -> bytes:
    content = {
        "type": event_type,
        "timestamp": show_time(happened_at),
        "data": job_object(job),
    }
    return json.dumps(content, separators=(",", ":")).encode()
