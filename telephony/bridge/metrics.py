"""The bridge's figures for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.bridge.record import CallRecord
    from telephony.rtp.clock import Lateness

_SETUP_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.55, 0.75, 1.0, 2.0, 4.0, 8.0, 16.0)


class BridgeMetrics:
    """One registry a service, so that several can run in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._active = Gauge("bridge_active_calls", "Calls that are up or ringing.", registry=self._registry)
        self._ended = Counter(
            "bridge_calls_ended", "Calls that ended, by reason.", ["reason"], registry=self._registry
        )
        self._refused = Counter(
            "bridge_calls_refused",
            "INVITEs that were refused, by SIP status and the field at fault.",
            ["status", "field"],
            registry=self._registry,
        )
        self._ringing = Histogram(
            "bridge_invite_to_ringing_seconds",
            "From INVITE to 180.",
            buckets=_SETUP_BUCKETS_S,
            registry=self._registry,
        )
        self._answer = Histogram(
            "bridge_invite_to_answer_seconds",
            "From INVITE to 200.",
            buckets=_SETUP_BUCKETS_S,
            registry=self._registry,
        )
        self._late = Gauge(
            "bridge_media_tick_lateness_seconds",
            "Lateness of the 20 ms media tick over the last minute.",
            ["quantile"],
            registry=self._registry,
        )
        self._registered = Gauge(
            "bridge_registered",
            "1 while a line with a login is registered at its carrier.",
            ["trunk"],
            registry=self._registry,
        )
        self._bus = Gauge("bridge_bus_connected", "1 while Redis is there.", registry=self._registry)

    def ended(self, reason: str, record: CallRecord) -> None:
        """Count a call that ended."""
        self._ended.labels(reason).inc()
        invited = record.at("invite")
        for name, histogram in (("ringing", self._ringing), ("answered", self._answer)):
            at = record.at(name)
            if at is not None and invited is not None:
                histogram.observe(at - invited)

    def refused(self, status: int, field: str) -> None:
        """Count a call that was refused."""
        self._refused.labels(str(status), field).inc()

    def render(
        self, *, active: int, lateness: Lateness, bus_connected: bool, registered: Mapping[str, bool]
    ) -> bytes:
        """All figures as text, with those of this moment."""
        for trunk, is_registered in registered.items():
            self._registered.labels(trunk).set(1 if is_registered else 0)
        self._active.set(active)
        self._bus.set(1 if bus_connected else 0)
        self._late.labels("0.5").set(lateness.p50_ms / 1000)
        self._late.labels("0.99").set(lateness.p99_ms / 1000)
        return generate_latest(self._registry)
