"""What came out of a call: the figures, the conversation, what went wrong.

Pure data. Times named ``…_s`` are seconds since the INVITE was sent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal[
    "completed",
    "expectation_failed",
    "agent_hung_up",
    "refused",
    "not_answered",
    "unreachable",
    "failed",
]
"""
completed           every step went as the script says
expectation_failed  the agent did not say, do or stop what a step asked for
agent_hung_up       the agent ended the call before the script was through
refused             a final answer other than 2xx
not_answered        nobody answered in time; the call was cancelled
unreachable         nothing answered the INVITE at all
failed              the caller itself could not go on, for instance without its recogniser
"""

NOISY_PACING_MS = 5.0
"""A caller whose own packets are later than this at the 99th percentile cannot judge milliseconds."""


@dataclass(slots=True)
class Turn:
    """One action of the caller and what the agent said to it; the first turn is the agent's greeting."""

    action: Literal["greeting", "say", "interrupt", "press"]
    said: str = ""
    said_start_s: float | None = None
    said_end_s: float | None = None
    """When the last packet with speech (or of the digits) left."""
    repeated: bool = False
    """The line had been said before and was not understood."""
    heard: str = ""
    heard_start_s: float | None = None
    heard_end_s: float | None = None
    reply_latency_ms: float | None = None
    """From the last packet with speech sent to the first received; negative when the agent did not wait."""
    barge_in_silence_ms: float | None = None


@dataclass(slots=True)
class HeardUtterance:
    """One utterance of the agent."""

    start_s: float
    end_s: float
    text: str | None = None
    """None when there was no recogniser or it failed."""


@dataclass(slots=True)
class StepResult:
    """How one step of the script went."""

    number: int
    kind: str
    text: str
    line: int | None
    ok: bool
    at_s: float
    detail: str = ""


@dataclass(slots=True)
class Problem:
    """Something that went wrong; ``step`` counts from 1."""

    text: str
    at_s: float
    step: int | None = None
    line: int | None = None


@dataclass(slots=True)
class SipStep:
    """One SIP message of the call, as a reader of a trace would name it."""

    at_s: float
    sent: bool
    text: str


@dataclass(slots=True)
class Pacing:
    """How late the caller's own packets left, in ms."""

    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(slots=True)
class Media:
    """The streams of a call."""

    codec: str = ""
    sent: int = 0
    received: int = 0
    lost: int = 0
    loss_percent: float = 0.0
    duplicates: int = 0
    reordered: int = 0
    estimated_mos: float | None = None
    dropped_on_purpose: int = 0
    """Packets of its own that the caller threw away as its script asked."""


@dataclass(slots=True)
class CallReport:
    """A whole call."""

    script: str
    to: str
    started_at: str
    ok: bool = False
    outcome: Outcome = "failed"
    ended_by: Literal["caller", "agent", "nobody"] = "nobody"
    cause: str = ""
    about: str = ""
    sip_call_id: str = ""
    duration_s: float = 0.0
    """From the INVITE to the end."""
    invite_to_ringing_ms: float | None = None
    invite_to_answer_ms: float | None = None
    answer_to_first_audio_ms: float | None = None
    greeting_complete: bool | None = None
    """Whether the first words heard were those that the script names under ``begins``; None without them."""
    barge_in_silence_ms: float | None = None
    """The longest of the interruptions."""
    reply_latency_p50_ms: float | None = None
    reply_latency_max_ms: float | None = None
    turns: list[Turn] = field(default_factory=list)
    utterances: list[HeardUtterance] = field(default_factory=list)
    gaps_ms_over_60: list[dict[str, float]] = field(default_factory=list)
    """Times without a packet of the agent: ``at_s``, ``ms``; ``own_ms`` is how late the caller itself ran."""
    stalls: list[dict[str, float]] = field(default_factory=list)
    """When the caller itself sent nothing, being more than a frame late: ``at_s`` of the end, ``ms``."""
    holes: list[dict[str, float]] = field(default_factory=list)
    """Silence cut into the agent's speech: ``at_s`` and ``ms``."""
    digits: list[dict[str, Any]] = field(default_factory=list)
    media: Media = field(default_factory=Media)
    pacing: Pacing | None = None
    noisy: bool = False
    """The caller was too late itself for its latencies to be exact."""
    problems: list[Problem] = field(default_factory=list)
    steps: list[StepResult] = field(default_factory=list)
    sip: list[SipStep] = field(default_factory=list)
    report: str | None = None
    """Directory of report.json, call.wav and report.html."""

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; times in s to the millisecond."""
        rounded = _rounded(asdict(self))
        assert isinstance(rounded, dict)
        return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
