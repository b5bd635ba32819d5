"""What a Prometheus server reads: counts and durations, labelled by table, code and status."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_PREFIX = "assay_collector_"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The collector's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        table_and = ["table", "outcome"]
        self.requests = self._counter("requests", "Requests answered", ["table", "status"])
        self.events = self._counter("events", "Events answered with 202", table_and)
        self.reply_seconds = self._seconds("reply_seconds", "Until the reply")
        self.backlog_records = self._gauge("backlog_records", "Records in the spool")
        self.backlog_bytes = self._gauge("backlog_bytes", "Bytes in the spool")
        self.is_ready = self._gauge("ready", "1 if events are taken")
        self.batches = self._counter("batches", "Batches landed", ["table"])
        self.landed = self._counter("landed_events", "Events landed", table_and)
        self.landing_seconds = self._seconds("landing_seconds", "To land one batch")
        self.drain_failures = self._counter("drain_failures", "Tries to land that failed", [])
        self.damaged = self._counter("damaged_records", "Records whose checksum is wrong", [])

    def _counter(self, name: str, meaning: str, labels: list[str]) -> Counter:
        return Counter(_PREFIX + name, meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(_PREFIX + name, meaning, registry=self._registry)

    def _seconds(self, name: str, meaning: str) -> Histogram:
        return Histogram(_PREFIX + name, meaning, buckets=_SECONDS, registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)
