"""What of the agent's speech must be heard to its end, and what the record is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from telephony.assistants.forms import READ_BACK
from telephony.assistants.tools.registry import TOOLS
from telephony.turns.evidence import Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from livekit import rtc
    from livekit.agents import AgentSession
    from livekit.agents.voice import SpeechHandle

    from telephony.assistants.turns import FlowState
    from telephony.turns.evidence import SpanKind
    from telephony.turns.settings import MustHear


class Promises:
    """What must be heard of the speech of one call.

    Args:
        wanted: the assistant's.
        state: where the flow stands; None where no flow leads the call.

    Attributes:
        span: the guarantee of what is being said, or was said last by a speech that is not over.
        closing: what everything is that is said from now on; None while nothing closes.
        talked_over: whether the caller has talked into what is being said.
    """

    def __init__(self, wanted: MustHear, state: Callable[[], FlowState | None]) -> None:
        self._wanted = wanted
        self._state = state
        self._promised: dict[str, SpanKind] = {}
        self._prompts: set[str] = set()
        self.span: Span | None = None
        self.closing: SpanKind | None = None
        self.talked_over = False

    def promise(self, handle: SpeechHandle, kind: SpanKind) -> None:
        """What this handle says must be heard, whatever the assistant wants."""
        self._promised[handle.id] = kind

    def close(self, kind: SpanKind | None) -> None:
        """From now on everything must be heard, if the assistant wants it so; None to take that back."""
        self.closing = kind if kind and is_wanted(self._wanted, kind) else None

    def prompt(self, handle: SpeechHandle) -> None:
        """What this handle says repeats what the flow has asked; what must be heard of it was heard."""
        self._prompts.add(handle.id)

    def began(self, handle: SpeechHandle | None) -> None:
        """An utterance begins to be heard; ``handle`` is its speech, None where nobody knows."""
        self.talked_over = False
        self.look(handle)

    def look(self, handle: SpeechHandle | None) -> None:
        """Find what must be heard of what is being said."""
        self.span = self.of(handle)
        if self.span is None and (handle is None or handle.id not in self._prompts):
            self.span = span_of(self._wanted, None, self._state())

    def of(self, handle: SpeechHandle | None) -> Span | None:
        """What was promised of a speech, before it is known where the flow stands with it."""
        promised = self._promised.get(handle.id) if handle is not None else None
        return span_of(self._wanted, promised or self.closing, None)

    def ended(self, handle: SpeechHandle | None) -> Span | None:
        """An utterance is over; what it was. A promise holds until its speech is over too."""
        span = self.span
        if handle is None or handle.id not in self._promised:
            self.span = None
        return span

    def done(self) -> None:
        """The speech is over."""
        self.span = None


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
