"""The bridge's figures for Prometheus: its own, and livekit-sip's under their names (``sip_metrics``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from telephony.bridge.sip_metrics import SipMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telephony.bridge.record import CallRecord
    from telephony.rtp.clock import Lateness

_SETUP_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.55, 0.75, 1.0, 2.0, 4.0, 8.0, 16.0)


_MOS_BUCKETS = (1.0, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4)
_LOSS_BUCKETS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0)
_JITTER_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class BridgeMetrics:
    """One registry a service, so that several can run in one process.

    Args:
        node_id: tells bridges apart.
        active: gives direction and called host of each call that is up or ringing.
        available: whether calls are taken.
    """

    def __init__(
        self,
        node_id: str = "",
        *,
        active: Callable[[], Iterable[tuple[str, str]]] = tuple,
        available: Callable[[], bool] = lambda: True,
    ) -> None:
        self._registry = CollectorRegistry()
        self._sip = SipMetrics(self._registry, node_id, active=active, available=available)
        self._mos = Histogram(
            "bridge_call_mos",
            "The E-model's estimate of how phones were heard, of calls that ended.",
            buckets=_MOS_BUCKETS,
            registry=self._registry,
        )
        self._loss = Histogram(
            "bridge_call_loss_percent",
            "Packets of the phone that were lost or late, of calls that ended.",
            buckets=_LOSS_BUCKETS,
            registry=self._registry,
        )
        self._jitter = Histogram(
            "bridge_call_jitter_seconds",
            "Jitter of the phone's packets, of calls that ended.",
            buckets=_JITTER_BUCKETS_S,
            registry=self._registry,
        )
        self._gaps = Counter(
            "bridge_call_gaps",
            "Moments of more than 60 ms without the phone's audio.",
            registry=self._registry,
        )
        self._one_way = Counter(
            "bridge_one_way_calls", "Calls in which nothing came from the phone.", registry=self._registry
        )
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

    def came(self) -> None:
        """Count an INVITE, whatever becomes of it."""
        self._sip.came()

    def ended(self, reason: str, record: CallRecord, to: str) -> None:
        """Count a call that ended; ``to`` is the host that was called."""
        self._ended.labels(reason).inc()
        answered = record.at("answered") is not None
        self._sip.ended(record, to, reason, refused=not answered and record.direction == "outbound")
        invited = record.at("invite")
        for name, histogram in (("ringing", self._ringing), ("answered", self._answer)):
            at = record.at(name)
            if at is not None and invited is not None:
                histogram.observe(at - invited)
        if answered:
            self._heard(record.rtp)

    def _heard(self, rtp: Mapping[str, Any]) -> None:
        if rtp.get("one_way"):
            self._one_way.inc()
        if rtp.get("mos") is None:
            return
        self._mos.observe(rtp["mos"])
        self._loss.observe(rtp["loss_percent"])
        self._jitter.observe(rtp["jitter_ms"] / 1000)
        self._gaps.inc(rtp["gaps"])

    def refused(self, status: int, field: str, record: CallRecord, to: str) -> None:
        """Count a call that was refused."""
        self._refused.labels(str(status), field).inc()
        self._sip.ended(record, to, f"status-{status}", refused=True)

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
