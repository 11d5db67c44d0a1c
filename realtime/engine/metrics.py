"""The engine's metrics, under vLLM's names, so that one dashboard reads both.

Each has a sentence of meaning and, where there is one, of remedy. They live in a
registry of their own: two engines in one process would else share their counts.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LABELS = ("model_name", "engine")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class EngineMetrics:
    def __init__(
        self, model: str, *, running: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        self.registry = CollectorRegistry()
        self._own = {"model_name": model, "engine": "0"}
        self._gauge(
            "vllm:num_requests_running",
            "Texts being ranked now; at the number of slots the engine is full.",
        ).set_function(running)
        self._gauge(
            "vllm:num_requests_waiting",
            "Requests waiting for a slot; if it stays high, start another engine.",
        ).set_function(waiting)
        self._prompt_tokens = self._counter(
            "vllm:prompt_tokens", "Tokens of the prompts that were answered."
        )
        self._generation_tokens = self._counter(
            "vllm:generation_tokens", "Tokens of the answers."
        )
        self._successes = Counter(
            "vllm:request_success",
            "Requests answered; `length` is an answer that max_tokens cut: raise it.",
            (*_LABELS, "finished_reason"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "vllm:e2e_request_latency_seconds",
            "From the request read to its answer made, the wait for a slot included.",
            _LABELS,
            buckets=_SECONDS,
            registry=self.registry,
        ).labels(**self._own)

    def count_answer(
        self, *, prompt_tokens: int, tokens: int, finish_reason: str, seconds: float
    ) -> None:
        self._prompt_tokens.inc(prompt_tokens)
        self._generation_tokens.inc(tokens)
        self._successes.labels(**self._own, finished_reason=finish_reason).inc()
        self._seconds.observe(seconds)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, _LABELS, registry=self.registry).labels(**self._own)

    def _counter(self, name: str, meaning: str) -> Counter:
        counter = Counter(name, meaning, _LABELS, registry=self.registry)
        return counter.labels(**self._own)
