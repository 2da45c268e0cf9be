"""What ``answering`` does in a call that is dialled, by the parts that the call has anyway."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from telephony.agent.dead_air import interrupt_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentSession
    from livekit.agents.voice import SpeechHandle

    from telephony.agent.conversation import Conversation
    from telephony.agent.ending import Ending
    from telephony.agent.record import CallRecord
    from telephony.agent.turn_taking import TurnTaking


class Callee:
    """The called party of one call; see ``answering.Lead``.

    Args:
        session: the call's.
        conversation: waits until there is somebody to talk to.
        turns: speaks what must be heard.
        record: the call's, once it has begun.
        greet: says the greeting.
        hang_up: ends the call.
        limit_s: the longest conversation.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        conversation: Conversation,
        turns: TurnTaking,
        record: Callable[[], CallRecord | None],
        greet: Callable[[], None],
        hang_up: Callable[[Ending], None],
        limit_s: float,
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._turns = turns
        self._record = record
        self._greet = greet
        self._hang_up = hang_up
        self._limit_s = limit_s
        self._limited = False
        conversation.wait()

    def begin(self, *, greet: bool) -> None:
        """The conversation begins, with the greeting or without it."""
        self._conversation.wait(False)
        if not self._limited:
            self._limited = True
            self._conversation.limit_time(self._limit_s)
        if greet:
            self._greet()

    def speak(self, text: str) -> SpeechHandle:
        """Say a text to its end."""
        return self._turns.say(self._session, text, "message")

    def be_quiet(self) -> None:
        """Stop whatever is being said, and answer nobody for now."""
        self._conversation.wait()
        interrupt_all(self._session)

    def respond(self, text: str) -> None:
        """Answer what a menu has said."""
        if text:
            self._session.generate_reply(user_input=text)

    def part(self, ending: Ending) -> None:
        """Hang up."""
        self._hang_up(ending)

    def tell(self, data: dict[str, Any]) -> None:
        """Write ``call.answered_by``."""
        record = self._record()
        if record is not None:
            record.answered_by(data)

    def heard(self, text: str, began_ago_s: float) -> None:
        """A person's first words, as a turn of the record; the greeting is the answer to them."""
        record = self._record()
        if record is None:
            return
        began_at = time.time() - began_ago_s
        metrics: llm.MetricsReport = {"started_speaking_at": began_at}
        record.message(llm.ChatMessage(role="user", content=[text], metrics=metrics, created_at=began_at))
