"""What differs in a call that one model hears and speaks: who is told what, and when a turn was spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.agent.session import phone_session, realtime_session
from telephony.speech.providers import Providers

if TYPE_CHECKING:
    from livekit.agents import AgentSession, llm
    from livekit.agents.voice.events import UserStateChangedEvent

    from telephony.agent.dead_air import DeadAir
    from telephony.agent.flow_log import FlowLog
    from telephony.agent.pipeline import Pipeline
    from telephony.agent.turn_taking import TurnTaking
    from telephony.assistants.schema import Assistant
    from telephony.speech.realtime import RealtimeProviders


def session_of(providers: Pipeline, assistant: Assistant, turns: TurnTaking) -> AgentSession[None]:
    """The session for a call's providers; it is not started."""
    if isinstance(providers, Providers):
        return phone_session(providers, assistant, turns)
    return realtime_session(providers, assistant, turns)


def follow_model(
    session: AgentSession[None], providers: RealtimeProviders, dead_air: DeadAir, turns: TurnTaking
) -> None:
    """Have the model's silence noticed, and its word on who speaks heard."""

    def changed(event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            providers.guard.speech_began()
        elif event.old_state == "speaking":
            providers.guard.speech_ended()

    session.on("user_state_changed", changed)
    providers.guard.unanswered = lambda: dead_air.unanswered("realtime")
    providers.guard.lost = dead_air.lost
    providers.on_heard(turns.model_heard)


def follow_connection(
    session: AgentSession[None], providers: RealtimeProviders, flow_log: FlowLog | None
) -> None:
    """Have the connection to the model watched, once the session has begun it."""
    model = session.current_agent.realtime_llm_session
    providers.guard.follow(model)
    if flow_log is not None:
        flow_log.follow_model(model)


def note_times(message: llm.ChatMessage, turns: TurnTaking) -> None:
    """When a turn of the caller's was spoken, by the line's own detector: the model tells only its words."""
    began_at, ended_at = turns.turn_taken(), turns.last_sounded_at
    if began_at is not None and "started_speaking_at" not in message.metrics:
        message.metrics["started_speaking_at"] = began_at
    started_at = message.metrics.get("started_speaking_at")
    if ended_at is not None and (started_at is None or ended_at > started_at):
        message.metrics.setdefault("stopped_speaking_at", ended_at)
