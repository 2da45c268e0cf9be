"""What the one file decides about calls out, as far as dialling them needs it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.dialer.lines import Line, lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.config import LineConfig


@dataclass(frozen=True, slots=True)
class DialerOptions:
    """One line's.

    Attributes:
        line: the name that marks what is ours at LiveKit.
        agent_name: the worker's.
        assistant: who talks where a request names nobody.
        lines: the outbound trunks by name.
        ringing_timeout_s, max_call_duration_s: where a request says nothing.
    """

    line: str = "default"
    agent_name: str = "trunkline"
    assistant: str = "reception"
    lines: Mapping[str, Line] = field(default_factory=dict)
    ringing_timeout_s: float = 30.0
    max_call_duration_s: float = 600.0


def options_of(config: LineConfig) -> DialerOptions:
    """Read the one file."""
    section = config.outbound
    return DialerOptions(
        line=config.line,
        agent_name=config.agent.name,
        assistant=config.assistants.default,
        lines=lines_of(config),
        ringing_timeout_s=section.ringing_timeout,
        max_call_duration_s=section.max_call_duration,
    )
