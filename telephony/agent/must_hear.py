"""What of the agent's speech must be heard to its end, and what the record is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from telephony.assistants.forms import READ_BACK
from telephony.assistants.tools.registry import TOOLS
from telephony.turns.evidence import Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from livekit import rtc
    from livekit.agents import AgentSession
    from livekit.agents.voice import SpeechHandle

    from telephony.assistants.turns import FlowState
    from telephony.turns.evidence import SpanKind
    from telephony.turns.settings import MustHear


def span_of(wanted: MustHear, promised: SpanKind | None, state: FlowState | None) -> Span | None:
    """What kind of guarantee the words that are beginning have.

    Args:
        wanted: the assistant's.
        promised: what was said of them when they were asked for, which is kept whatever the settings
            say; None where nothing was.
        state: where the flow stands that chose them; None without a flow.
    """
    kind = promised or _kind_of(state)
    if kind is None or (promised is None and not is_wanted(wanted, kind)):
        return None
    # A caller who stops a disclosure or a read-back hears the rest of it after; nobody stops a goodbye.
    return Span(kind, yields_to_stop=kind in ("disclosure", "read_back"))


def is_wanted(wanted: MustHear, kind: SpanKind) -> bool:
    """Whether an assistant wants such words to be heard by all means."""
    return {
        "disclosure": wanted.greeting,
        "read_back": wanted.read_back,
        "transfer": wanted.transfer,
        "goodbye": wanted.goodbye,
        "message": True,
    }[kind]


def spoken_event(
    span: Span, text: str, played_s: float, *, complete: bool, talked_over: bool
) -> dict[str, Any]:
    """What ``speech.heard`` tells: the text as far as it was heard, and how much of it went to the phone."""
    return {
        "kind": span.kind,
        "text": text,
        "played_ms": round(played_s * 1000),
        "complete": complete,
        "talked_over": talked_over,
    }


def say_to_the_end(
    session: AgentSession[Any], text: str, audio: AsyncIterable[rtc.AudioFrame] | None = None
) -> SpeechHandle:
    """Say a text that nobody interrupts.

    Args:
        audio: its sound; None to have it spoken.
    """
    spoken: dict[str, Any] = {} if audio is None else {"audio": audio}
    if not isinstance(session.llm, llm.RealtimeModel):
        return session.say(text, allow_interruptions=False, **spoken)
    # livekit-agents knows no such speech where the model detects turns; it asks the handle all the same.
    handle = session.say(text, **spoken)
    handle.allow_interruptions = False
    return handle


def _kind_of(state: FlowState | None) -> SpanKind | None:
    if state is None:
        return None
    if state.closed:
        return "goodbye"
    if state.calling is not None:
        tool = TOOLS.get(state.calling.name)
        return "transfer" if tool is not None and tool.after_speaking else None
    return "read_back" if state.asking == READ_BACK else None
