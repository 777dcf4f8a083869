"""What Prometheus is told of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from demo.calls import Call

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Of one server: two in a process do not count together."""

    def __init__(
        self, num_waiting: Callable[[], int], num_running: Callable[[], int], loaded: Callable[[], Mapping[str, int]]
    ):
        """`loaded` are the models in memory, and the bytes of each."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own = {"namespace": "gloss", "registry": self.registry}
        self.requests = Counter("requests", "Requests that are over", ["endpoint", "outcome"], **own)
        self.seconds = Histogram("request_seconds", "From its turn to its end", ["endpoint"], buckets=SECONDS, **own)
        self.queue_seconds = Histogram("queue_seconds", "Until its turn", buckets=SECONDS, **own)
        self.tokens_read = Counter("tokens_read", "Tokens of texts", ["model"], **own)
        self.tokens_written = Counter("tokens_written", "Tokens of results", ["model"], **own)
        Gauge("requests_waiting", "In the queue", **own).set_function(num_waiting)
        Gauge("requests_running", "That a model works for", **own).set_function(num_running)
        Gauge("models_loaded", "In memory", **own).set_function(lambda: len(loaded()))
        Gauge("model_bytes", "Of the weights in memory", **own).set_function(lambda: sum(loaded().values()))

    def count(self, call: Call) -> None:
        self.requests.labels(call.endpoint, call.outcome).inc()
        if call.outcome != "refused":
            self.seconds.labels(call.endpoint).observe(call.seconds)
        if call.queue_seconds is not None:
            self.queue_seconds.observe(call.queue_seconds)
        if call.model is not None:
            self.tokens_read.labels(call.model).inc(call.tokens_in)
            self.tokens_written.labels(call.model).inc(call.tokens_out)

    def text(self) -> bytes:
        return generate_latest(self.registry)
