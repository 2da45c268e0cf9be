"""The events of a call as lines to read: who, when, what, and the figure that belongs to it.

Pure. A line is told once all of it is known: what the agent said when it is transcribed, an interruption
together with the silence it brought.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport

Who = Literal["line", "caller", "agent", "problem"]


@dataclass(frozen=True, slots=True)
class Told:
    """One line."""

    at_s: float
    who: Who
    text: str
    note: str = ""


class Narrator:
    """Turns the events of one call into lines, in the order of what happened."""

    def __init__(self) -> None:
        self._reply_note = ""
        self._interruption: Told | None = None

    def tell(self, event: CallerEvent) -> list[Told]:
        """The lines that this event completes, often none."""
        handler = getattr(self, f"_{event.kind}", None)
        return [] if handler is None else handler(event)

    def _inviting(self, event: CallerEvent) -> list[Told]:
        return [Told(0.0, "line", f"calls {event.text}")]

    def _listening(self, event: CallerEvent) -> list[Told]:
        return [Told(0.0, "line", f"waits for a call at {event.text}")]

    def _beeped(self, event: CallerEvent) -> list[Told]:
        return [*self._held(), Told(event.at_s, "caller", "(beep)", event.text)]

    def _ringing(self, event: CallerEvent) -> list[Told]:
        return [Told(event.at_s, "line", "rings", _after(event.data.get("after_ms")))]

    def _answered(self, event: CallerEvent) -> list[Told]:
        return [
            Told(
                event.at_s, "line", f"is answered, {event.data['codec']}", _after(event.data.get("after_ms"))
            )
        ]

    def _agent_speaking(self, event: CallerEvent) -> list[Told]:
        first_ms = event.data.get("answer_to_first_audio_ms")
        if first_ms is not None:
            self._reply_note = f"{duration(first_ms)} after the answer"
        return []

    def _reply(self, event: CallerEvent) -> list[Told]:
        self._reply_note = f"replies {_after(event.data['latency_ms'])}"
        return self._held()

    def _heard(self, event: CallerEvent) -> list[Told]:
        note, self._reply_note = self._reply_note, ""
        text = event.text or "(not understood)"
        return [Told(event.data.get("started_s", event.at_s), "agent", text, note), *self._held()]

    def _saying(self, event: CallerEvent) -> list[Told]:
        note = "says it again" if event.data.get("repeated") else ""
        return [*self._held(), Told(event.at_s, "caller", event.text, note)]

    def _interrupted(self, event: CallerEvent) -> list[Told]:
        # Held until it is known what was interrupted: that has begun before, so it is told before.
        self._interruption = Told(event.at_s, "caller", event.text, "talks over the agent")
        return []

    def _barge_in(self, event: CallerEvent) -> list[Told]:
        if self._interruption is not None:
            held = self._interruption
            note = f"{held.note}, which is silent {_after(event.data['silence_ms'])}"
            self._interruption = Told(held.at_s, held.who, held.text, note)
        return []

    def _pressed(self, event: CallerEvent) -> list[Told]:
        return [*self._held(), Told(event.at_s, "caller", f"presses {event.text}")]

    def _problem(self, event: CallerEvent) -> list[Told]:
        step, line = event.data.get("step"), event.data.get("line")
        place = ", ".join(f"{name} {number}" for name, number in (("step", step), ("line", line)) if number)
        return [*self._held(), Told(event.at_s, "problem", event.text, place)]

    def _ended(self, event: CallerEvent) -> list[Told]:
        by = event.data.get("ended_by")
        how = {"agent": "the agent hung up", "caller": "the caller hung up"}.get(
            str(by), "no call came about"
        )
        return [*self._held(), Told(event.at_s, "line", f"is over, {how}")]

    def _held(self) -> list[Told]:
        held, self._interruption = self._interruption, None
        return [held] if held is not None else []


def figures(report: CallReport) -> list[tuple[str, str]]:
    """The key figures of a call as (name, value), those that it has."""
    rows: list[tuple[str, float | None]] = [
        ("Ringing after", report.invite_to_ringing_ms),
        ("Answered after", report.invite_to_answer_ms),
        ("Greeting heard after the answer", report.answer_to_first_audio_ms),
        ("Reply latency, median", report.reply_latency_p50_ms),
        ("Reply latency, longest", report.reply_latency_max_ms),
        ("Silent after interruption", report.barge_in_silence_ms),
    ]
    shown = [(name, duration(value)) for name, value in rows if value is not None]
    if report.media.received:
        gaps = len(report.gaps_ms_over_60) + len(report.holes)
        shown.append(("Gaps in the agent's audio", str(gaps)))
        shown.append(("Packets lost", f"{report.media.loss_percent:.1f} %"))
    if report.noisy and report.pacing is not None:
        shown.append(("Latencies are approximate", f"own packets {report.pacing.p99_ms:.1f} ms late (p99)"))
    return shown


def duration(value_ms: float) -> str:
    """A time as people write it: ``740 ms``, ``1.24 s``."""
    return f"{value_ms / 1000:.2f} s" if abs(value_ms) >= 1000 else f"{value_ms:.0f} ms"


def _after(value_ms: float | None) -> str:
    return "" if value_ms is None else f"after {duration(value_ms)}"
