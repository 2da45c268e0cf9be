"""What the simulated caller notices while its call is up, for whoever watches it live. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

CallerEventKind = Literal[
    "inviting",
    "ringing",
    "answered",
    "saying",
    "said",
    "agent_speaking",
    "agent_silent",
    "reply",
    "heard",
    "interrupted",
    "barge_in",
    "pressed",
    "listening",
    "beeped",
    "expectation",
    "ended",
    "problem",
]
"""
inviting      the INVITE left; ``text`` is the address dialled
ringing       first 180 or 183; data: ``after_ms``, ``status``
answered      200 OK; data: ``after_ms``, ``codec``
saying        a line begins; ``text`` is the line; data: ``duration_s``, ``repeated``
said          its last packet with speech was sent
agent_speaking, agent_silent   the energy on the agent's side rose, or has been low long enough
reply         the agent's first speech packet after the caller's turn; data: ``latency_ms``
heard         an utterance of the agent, transcribed; data: ``started_s``, ``ended_s``
interrupted   the caller talks over the agent; ``text`` is the line
barge_in      the agent fell silent after an interruption; data: ``silence_ms``
pressed       ``text`` is the digits
listening     who is called waits for a call; ``text`` is the address to dial
beeped        a tone was sounded
expectation   an ``expect`` step was met or not; data: ``ok``
ended         the call is over; data: ``ok``, ``outcome``, ``ended_by``
problem       something the report will list; data: ``step``, ``line``
"""


@dataclass(frozen=True, slots=True)
class CallerEvent:
    """One observation; ``at_s`` is seconds since the INVITE was sent."""

    kind: CallerEventKind
    at_s: float
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
