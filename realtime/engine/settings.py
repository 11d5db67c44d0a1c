"""What the embedded engine may be told, by environment or command line.

The names on the command line are vLLM's where vLLM has one. How an engine is reached
is the callers' setting (`EngineSettings`) and not repeated here.
"""

from pydantic import Field

from plumbing.settings import Port, ServiceSettings


class EmbeddedEngineSettings(ServiceSettings):
    engine_host: str = "127.0.0.1"
    engine_port: Port = 8000
    """0 takes any free port; the process logs which one."""
    engine_model_name: str = Field(default="precis-extractive", min_length=1)
    engine_max_model_len: int = Field(default=8192, ge=1)
    """Tokens of prompt and answer together."""
    engine_max_num_seqs: int = Field(default=2, ge=1)
    """Texts ranked at once. Ranking is CPU work under one lock: more only slow each."""
    engine_max_queued: int = Field(default=512, ge=0)
    """Requests that may wait for a slot; one more is answered 503."""
