"""What the api counts, for Prometheus.

Labels are bounded: an assistant or trunk beyond the first hundred is counted as ``other``, and no
number, room or call is ever a label.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.store.stored import StoredEvent
    from telephony.webhooks.attempt import Result

_MOST_LABELS = 100
_LATENCY_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_SETUP_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
_TALK_S = (5, 15, 30, 60, 120, 300, 600, 1800, 3600)
_HTTP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class BoundedLabel:
    """Label values as they come, until there are too many of them."""

    def __init__(self, most: int = _MOST_LABELS) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: object) -> str:
        text = str(value or "none")[:64]
        if text not in self._known and len(self._known) >= self._most:
            return "other"
        self._known.add(text)
        return text


class Metrics:
    """Every series of one api process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._assistant, self._trunk, self._endpoint = BoundedLabel(), BoundedLabel(), BoundedLabel()
        self.events = self._counter("trunkline_events", "Events stored.", "type", "source")
        self.calls = self._counter(
            "trunkline_calls_ended", "Calls that ended.", "direction", "outcome", "ended_by", "assistant"
        )
        self.talk = self._histogram("trunkline_talk_seconds", "Answer to end.", _TALK_S, "direction")
        self.setup = self._histogram("trunkline_answer_seconds", "INVITE to answer.", _SETUP_S, "direction")
        self.latency = self._histogram(
            "trunkline_turn_latency_seconds", "Caller's last sound to agent's first.", _LATENCY_S
        )
        self.stages = self._histogram(
            "trunkline_turn_stage_seconds", "What the wait for an answer was spent on.", _LATENCY_S, "stage"
        )
        self.troubles = self._counter(
            "trunkline_provider_troubles", "Providers that failed, were late, or returned.", "stage", "kind"
        )
        self.interruptions = self._counter("trunkline_interruptions", "Agent turns cut short by the caller.")
        self.refused = self._counter("trunkline_invites_refused", "INVITEs refused.", "sip_status")
        self.late = self._counter("trunkline_events_late", "Events that came after their call's end.")
        self.attempts = self._counter("trunkline_webhook_attempts", "Webhook attempts.", "endpoint", "result")
        self.attempt_time = self._histogram("trunkline_webhook_attempt_seconds", "One attempt.", _HTTP_S)
        self.delivery_delay = self._histogram(
            "trunkline_webhook_delay_seconds", "Queued to delivered.", (*_HTTP_S, 60, 600, 3600, 86400)
        )
        self.backlog = self._gauge("trunkline_webhook_pending", "Deliveries waiting.", "endpoint")
        self.backlog_age = self._gauge(
            "trunkline_webhook_oldest_seconds", "Age of the oldest waiting delivery.", "endpoint"
        )
        self.disabled = self._counter("trunkline_endpoints_disabled", "Endpoints switched off for failing.")
        self.requests = self._counter("trunkline_http_requests", "API requests.", "route", "status")
        self.request_time = self._histogram("trunkline_http_seconds", "API requests.", _HTTP_S, "route")
        self.livekit_calls = self._counter(
            "trunkline_livekit_requests", "Requests to livekit-server.", "method", "result"
        )
        self.livekit_time = self._histogram(
            "trunkline_livekit_seconds", "Requests to livekit-server.", _HTTP_S, "method"
        )
        self.hooks = self._counter("trunkline_livekit_webhooks", "LiveKit's webhooks.", "event", "result")
        self.hooks_dropped = self._counter(
            "trunkline_livekit_webhooks_dropped", "Webhooks that livekit-server says it dropped."
        )
        self.reconciled = self._counter("trunkline_reconciled", "What the reconciler did.", "action")
        self.open_calls = self._gauge("trunkline_calls_open", "Calls that have not ended.")
        self.recordings = self._counter("trunkline_recordings", "Recordings handled.", "result")

    def exposition(self) -> bytes:
        """The text that a scrape gets."""
        return generate_latest(self.registry)

    def told(self, events: Sequence[StoredEvent]) -> None:
        """Count events that were stored."""
        for event in events:
            self.events.labels(event.type, event.source).inc()
            if event.late:
                self.late.inc()
            if event.type == "call.ended":
                self._ended(event.data)
            elif event.type == "turn.completed" and event.data.get("latency_ms") is not None:
                self.latency.observe(event.data["latency_ms"] / 1000)
                for name, value in (event.data.get("latency") or {}).items():
                    self.stages.labels(name.removesuffix("_ms")).observe(value / 1000)
            elif event.type == "provider.trouble":
                self.troubles.labels(str(event.data.get("stage")), str(event.data.get("kind"))).inc()
            elif event.type == "agent.interrupted":
                self.interruptions.inc()
            elif event.type == "call.refused":
                self.refused.labels(str(event.data.get("sip_status", "none"))).inc()
            elif event.type == "endpoint.disabled":
                self.disabled.inc()

    def _ended(self, summary: dict[str, Any]) -> None:
        direction = summary["direction"]
        self.calls.labels(
            direction, summary["outcome"], summary["ended_by"], self._assistant(summary.get("assistant"))
        ).inc()
        if summary.get("answered_at"):
            self.talk.labels(direction).observe(summary["talk_s"])
            waited = datetime.fromisoformat(summary["answered_at"]) - datetime.fromisoformat(
                summary["started_at"]
            )
            self.setup.labels(direction).observe(max(0.0, waited.total_seconds()))

    def attempted(self, endpoint_id: str, result: Result, waited_s: float) -> None:
        """Count a webhook attempt."""
        outcome = "delivered" if result.delivered else str(result.http_status or "no_answer")
        self.attempts.labels(self._endpoint(endpoint_id), outcome).inc()
        self.attempt_time.observe(result.duration_ms / 1000)
        if result.delivered:
            self.delivery_delay.observe(max(0.0, waited_s))

    def waiting(self, backlog: dict[str, tuple[int, datetime]], now: datetime) -> None:
        """Show what waits for each endpoint."""
        self.backlog.clear()
        self.backlog_age.clear()
        for endpoint_id, (pending, oldest) in backlog.items():
            label = self._endpoint(endpoint_id)
            self.backlog.labels(label).set(pending)
            self.backlog_age.labels(label).set(max(0.0, (now - oldest).total_seconds()))

    def asked_livekit(self, method: str, result: str, seconds: float) -> None:
        """Count a request to livekit-server."""
        self.livekit_calls.labels(method, result).inc()
        self.livekit_time.labels(method).observe(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
