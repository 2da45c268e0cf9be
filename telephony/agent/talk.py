"""What talks to the caller: the session, and who leads it. Stopped here, in whatever way a call goes on.

Turns, conversation and dead air each follow the session by themselves and know nothing of each other's
end; what must be closed together, and in which order, is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.agent.aside import AsideOutput
from telephony.agent.dead_air import DeadAir, follow_caller
from telephony.agent.realtime_call import follow_connection, follow_model
from telephony.agent.session import close_without_waiting
from telephony.clock import LoopClock
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentSession

    from telephony.agent.conversation import Conversation
    from telephony.agent.flow_log import FlowLog
    from telephony.agent.pipeline import Pipeline
    from telephony.agent.turn_taking import TurnTaking
    from telephony.assistants.rescue import Rescue
    from telephony.assistants.turns import FlowState
    from telephony.calls.events import EventType


class Talk:
    """One call's.

    Args:
        pipeline: what the session was built of.
        session: not started yet.
        turns: decides who has the floor.
        conversation: leads the turns that are nobody's words.

    Attributes:
        dead_air: sees to it that whoever waits hears something; None until the session has a voice.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        session: AgentSession[None],
        turns: TurnTaking,
        conversation: Conversation,
    ) -> None:
        self.pipeline = pipeline
        self.session = session
        self.turns = turns
        self.conversation = conversation
        self.dead_air: DeadAir | None = None
        if isinstance(pipeline.llm, DialogueLlm):
            pipeline.llm.follow(session)

    def watch(
        self,
        rescue: Rescue,
        recorded: Callable[[str], bytes | None],
        *,
        give_up: Callable[[str], None],
        tell: Callable[[EventType, dict[str, Any]], None],
    ) -> None:
        """Have whoever waits for the agent hear something, whatever a provider does; see ``DeadAir``.

        To be called once the session has its voice, and before its first word.
        """
        session, pipeline, aside = self.session, self.pipeline, None
        if session.output.audio is not None:
            aside = session.output.audio = AsideOutput(session.output.audio)
        dead_air = self.dead_air = DeadAir(
            session,
            aside,
            rescue,
            recorded,
            LoopClock(),
            give_up=give_up,
            tell=tell,
            held=lambda: self.turns.holding,
        )
        pipeline.on_trouble(dead_air.trouble)
        if not isinstance(pipeline, Providers):
            follow_model(session, pipeline, dead_air, self.turns)
        elif pipeline.guarded_stt is not None:
            follow_caller(session, pipeline.guarded_stt)

    def enter(self, flow_log: FlowLog | None) -> None:
        """The agent can talk and listen; ``flow_log`` notes what goes to a realtime model."""
        self.turns.attach(self.session)
        if not isinstance(self.pipeline, Providers):
            follow_connection(self.session, self.pipeline, flow_log)

    def flow_state(self) -> FlowState | None:
        """Where the flow stands; None where no flow leads the call."""
        if not isinstance(self.session.llm, DialogueLlm):
            return None
        return self.session.llm.state_after(self.session.history)

    # Stopping it

    def closing(self) -> None:
        """The goodbye is the last that is said, and is heard."""
        self.turns.closing("goodbye")
        if self.dead_air is not None:
            self.dead_air.close()
        self.conversation.close()

    def stop_listening(self) -> None:
        """What is said after the goodbye begins no turn any more."""
        self.session.input.set_audio_enabled(False)

    def fall_silent(self) -> None:
        """The agent neither speaks nor listens any more, and the call goes on."""
        self._close_parts()
        self.session.input.set_audio_enabled(False)
        self.session.output.set_audio_enabled(False)

    def close(self) -> None:
        """The call is over; harmless when repeated."""
        self._close_parts()
        if self.session.user_state != "speaking":
            close_without_waiting(self.session)

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        if self.dead_air is not None:
            await self.dead_air.aclose()

    def _close_parts(self) -> None:
        self.conversation.close()
        self.turns.close()
        if self.dead_air is not None:
            self.dead_air.close()
