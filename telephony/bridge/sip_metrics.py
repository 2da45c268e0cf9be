"""The figures that livekit-sip v1.11.0 gives to Prometheus, under its names (``pkg/stats/monitor.go``).

So that its dashboards and alarms work on. Its counters have no ``_total``; here they are of no declared type
for that reason, which ``rate()`` does not mind. ``to`` is our own address for calls in, never the host that a
caller wrote: that would let anybody make series without end.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

    from telephony.bridge.record import CallRecord

_OPERATION_S = (0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 180)
_LONG_S = (1, 10, 60, 600, 1800, 3600, 6 * 3600, 12 * 3600, 24 * 3600)
_COUNTERS = {
    "invite_requests_raw": ("INVITEs that came, whatever became of them.", ()),
    "invite_requests": ("Calls asked for, by either side.", ("dir",)),
    "invite_accepted": ("Calls that a trunk took.", ("dir", "to")),
    "invite_error": ("Calls that were refused, or came to nothing.", ("dir", "to", "reason")),
    "calls_terminated": ("Calls that ended.", ("dir", "to", "reason")),
    "packets_rtp": ("RTP packets of calls that ended.", ("dir", "to", "op", "payload")),
}
DIRECTIONS = {"inbound": "in", "outbound": "out"}


class SipMetrics(Collector):
    """One bridge's.

    Args:
        node_id: tells bridges apart.
        active: gives direction and host of each call that is up or ringing.
        available: whether calls are taken.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        node_id: str,
        *,
        active: Callable[[], Iterable[tuple[str, str]]],
        available: Callable[[], bool],
    ) -> None:
        self._node_id = node_id
        self._active = active
        self._available = available
        self._counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._durations = {
            name: Histogram(
                f"livekit_sip_{name}", text, ["node_id", "dir"], buckets=buckets, registry=registry
            )
            for name, text, buckets in (
                ("dur_session_sec", "From INVITE to the end.", _LONG_S),
                ("dur_call_sec", "From the answer to the end.", _LONG_S),
                ("dur_check_sec", "From INVITE to the rule's decision.", _OPERATION_S),
                ("dur_join_sec", "From INVITE to audio of the room.", _OPERATION_S),
            )
        }
        registry.register(self)

    def came(self) -> None:
        """An INVITE has come."""
        self._counts["invite_requests_raw", ()] += 1

    def ended(self, record: CallRecord, to: str, reason: str, *, refused: bool) -> None:
        """A call is over, or came to nothing."""
        direction = DIRECTIONS[record.direction]
        counts = self._counts
        counts["invite_requests", (direction,)] += 1
        if record.at("auth") is not None or record.at("requested") is not None:
            counts["invite_accepted", (direction, to)] += 1
        if refused:
            counts["invite_error", (direction, to, reason)] += 1
            return
        counts["calls_terminated", (direction, to, reason)] += 1
        for op, name in (("recv", "packets"), ("send", "packets_sent")):
            payload = str(record.fields.get("codec", ""))
            counts["packets_rtp", (direction, to, op, payload)] += int(record.rtp.get(name) or 0)
        self._observe(record, direction)

    def _observe(self, record: CallRecord, direction: str) -> None:
        began = record.at("invite") or record.at("requested")
        for name, since, until in (
            ("dur_session_sec", began, record.at("ended")),
            ("dur_call_sec", record.at("answered"), record.at("ended")),
            ("dur_check_sec", began, record.at("dispatch")),
            ("dur_join_sec", began, record.at("agent_track")),
        ):
            if since is not None and until is not None:
                self._durations[name].labels(self._node_id, direction).observe(max(0.0, until - since))

    def collect(self) -> Iterable[Metric]:
        """For the registry."""
        for name, (text, labels) in _COUNTERS.items():
            metric = Metric(f"livekit_sip_{name}", text, "unknown")
            for (counted, values), count in self._counts.items():
                if counted == name:
                    self._add(metric, dict(zip(labels, values, strict=True)), count)
            yield metric
        calls = Metric("livekit_sip_calls_active", "Calls that are up or ringing.", "gauge")
        for (direction, to), count in Counter(self._active()).items():
            self._add(calls, {"dir": DIRECTIONS[direction], "to": to}, count)
        yield calls
        available = Metric("livekit_sip_available", "1 while calls are taken.", "gauge")
        self._add(available, {}, int(self._available()))
        yield available

    def _add(self, metric: Metric, labels: dict[str, str], value: float) -> None:
        metric.add_sample(metric.name, {"node_id": self._node_id, **labels}, value)
