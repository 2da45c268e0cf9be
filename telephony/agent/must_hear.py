"""What of the agent's speech must be heard to its end, and what the record is told of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.assistants.forms import READ_BACK
from telephony.assistants.tools.registry import TOOLS
from telephony.turns.evidence import Span

if TYPE_CHECKING:
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


def _kind_of(state: FlowState | None) -> SpanKind | None:
    if state is None:
        return None
    if state.closed:
        return "goodbye"
    if state.calling is not None:
        tool = TOOLS.get(state.calling.name)
        return "transfer" if tool is not None and tool.after_speaking else None
    return "read_back" if state.asking == READ_BACK else None
