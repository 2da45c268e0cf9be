"""The turns of one call that are nobody's words: silence, noise, keys, the end of its time.

livekit-agents leads the ordinary turn, from the caller's words to the agent's answer. This fills in
what a telephone adds, and tells the record what was said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.agents import llm

from telephony.agent.budget import Budget
from telephony.agent.keypad import END_KEY, PAUSE_S, Keypad
from telephony.agent.must_hear import say_to_the_end
from telephony.agent.reprompts import Reprompts
from telephony.assistants.flow import MAX_KEYS
from telephony.clock import LoopClock
from telephony.logs import get_logger
from telephony.speech.dialogue import keys_as_text
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.turns.machine_talk import MachineTalk
from telephony.turns.no_more_calls.matcher import acknowledgement, demand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentSession
    from livekit.agents.voice import SpeechHandle
    from livekit.agents.voice.events import (
        ConversationItemAddedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
        UserTranscriptionTimeoutEvent,
    )

    from telephony.agent.reprompts import Reprompt
    from telephony.agent.turn_taking import TurnTaking
    from telephony.assistants.flow import Flow
    from telephony.assistants.schema import Assistant
    from telephony.turns.no_more_calls.matcher import Demand

log = get_logger(__name__)

LEAST_SPEECH_S = 0.3
"""A shorter noise without a word in it is not asked about."""


class Conversation:
    """Follows one session.

    Args:
        session: the call's; not started yet.
        assistant: whose words are used.
        flow: what leads the call; None where a language model does.
        silence_limit_s: silence that ends the call.
        on_message: told of each finished utterance.
        on_goodbye: told, with the speech that says it, when the agent has given the caller up.
        turns: who decides on interruptions; None to interrupt by every key.
        on_demand: told when the caller does not want to be called again; the goodbye follows.
    """

    def __init__(
        self,
        session: AgentSession[None],
        assistant: Assistant,
        flow: Flow | None,
        *,
        silence_limit_s: float,
        on_message: Callable[[llm.ChatMessage], None],
        on_goodbye: Callable[[str, SpeechHandle], None],
        turns: TurnTaking | None = None,
        on_demand: Callable[[Demand], None] | None = None,
    ) -> None:
        self._session = session
        self._assistant = assistant
        self._flow = flow
        self._on_message = on_message
        self._on_goodbye = on_goodbye
        self._on_demand = on_demand
        self._turns = turns if assistant.turns.enabled else None
        self._patient_until = float("-inf")
        if self._turns is not None:
            self._turns.on_patience = self._be_patient
            self._turns.on_key = self._late_key
            self._turns.on_hold = self._on_hold
        self._held: asyncio.TimerHandle | None = None
        self._machine = MachineTalk()
        Budget(assistant.budget, self._on_spent).follow(session)
        self._reprompts = Reprompts(assistant, limit_s=silence_limit_s)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._keypad = Keypad(LoopClock(self._loop), self._keys_expected, self._on_keys, self._key_rules)
        self._time_limit: asyncio.TimerHandle | None = None
        self._closed = False
        self._waiting = False
        session.on("user_state_changed", self._on_user_state)
        session.on("user_input_transcribed", self._on_transcript)
        session.on("user_transcription_timeout", self._on_no_transcript)
        session.on("conversation_item_added", self._on_item)

    def wait(self, waiting: bool = True) -> None:
        """Nobody is there to talk to yet, or any more: neither silence nor keys mean anything."""
        self._waiting = waiting
        self._heard()

    def limit_time(self, seconds: float) -> None:
        """Say goodbye when the call has lasted this long from now."""
        self._time_limit = self._loop.call_later(seconds, self._on_time_up)

    def press(self, key: str) -> None:
        """The caller pressed a key: the agent stops speaking, and the key is a turn of the caller's."""
        if self._closed or self._waiting:
            return
        self._heard()
        if self._turns is not None:
            if self._turns.key(key):
                self._keypad.press(key)
            return
        try:
            self._session.interrupt()
        except RuntimeError:
            # A goodbye is not interrupted.
            return
        self._keypad.press(key)

    def close(self) -> None:
        """Say nothing more; utterances that are still finishing are recorded."""
        self._closed = True
        self._keypad.close()
        for timer in (self._time_limit, self._held):
            if timer is not None:
                timer.cancel()

    # What the session tells

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        if event.new_state != "away" or self._closed:
            return
        if self._held is not None or self._waiting:
            self._session.reset_away_timer()
            return
        if self._loop.time() < self._patient_until:
            self._session.reset_away_timer()
            return
        silent_s = self._loop.time() - self._heard_at
        self._say(self._reprompts.silence(silent_s, self._question()), "the caller said nothing")

    def _on_no_transcript(self, event: UserTranscriptionTimeoutEvent) -> None:
        # While the agent speaks the noise has only paused it, and it goes on by itself.
        if self._closed or self._held is not None or self._session.agent_state != "listening":
            return
        if self._turns is not None and self._turns.explains_silence(event.vad_speech_started_at):
            return
        if event.speech_duration >= LEAST_SPEECH_S:
            self._say(self._reprompts.unheard(self._question()), "the caller could not be understood")

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        if not event.is_final or not event.transcript.strip():
            return
        self._heard()
        if self._machine.heard(event.transcript) and not self._closed:
            self._on_goodbye("the caller is a machine", self._say_goodbye(self._assistant.silence.goodbye))
        demand = None if self._closed else demand_in(event.transcript)
        if demand is not None:
            self._promise_no_more_calls(demand)

    def _promise_no_more_calls(self, demand: Demand) -> None:
        log.info("no_more_calls_demanded", language=demand.language)
        if self._on_demand is not None:
            self._on_demand(demand)
        spoken = self._say_goodbye(acknowledgement(self._assistant.language))
        self._on_goodbye("the caller does not want to be called again", spoken)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage):
            self._on_message(event.item)

    def _on_time_up(self) -> None:
        if not self._closed:
            self._on_goodbye("the call reached its time limit", self._say_goodbye(self._assistant.time_is_up))

    def _on_hold(self, playing: bool) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
        if playing and not self._closed:
            self._held = self._loop.call_later(self._assistant.silence.hold_s, self._on_held_too_long)
        elif not playing:
            self._heard()

    def _on_held_too_long(self) -> None:
        if not self._closed:
            text = self._assistant.silence.goodbye
            self._on_goodbye("the caller kept the agent on hold", self._say_goodbye(text))

    def _on_spent(self, reason: str) -> None:
        if not self._closed:
            self._on_goodbye(reason, self._say_goodbye(self._assistant.time_is_up))

    # What is done about it

    def _heard(self) -> None:
        self._heard_at = self._loop.time()
        self._reprompts.heard()

    def _say(self, reprompt: Reprompt, cause: str) -> None:
        log.info("caller_reprompted", last=reprompt.last, cause=cause)
        if reprompt.last:
            self._on_goodbye(cause, self._say_goodbye(reprompt.text))
            return
        # An "away" caller is not watched any more until the session is told to begin again.
        handle = self._session.say(reprompt.text)
        handle.add_done_callback(self._watch_again)

    def _say_goodbye(self, text: str) -> SpeechHandle:
        if self._turns is not None:
            return self._turns.say(self._session, text, "goodbye")
        return say_to_the_end(self._session, text)

    def _be_patient(self, seconds: float) -> None:
        self._heard()
        self._patient_until = self._loop.time() + seconds

    def _late_key(self, key: str) -> None:
        if not self._closed:
            self._keypad.press(key)

    def _watch_again(self, _: SpeechHandle) -> None:
        if not self._closed:
            self._session.reset_away_timer()

    def _question(self) -> str:
        if self._flow is None or not isinstance(self._session.llm, DialogueLlm):
            return ""
        return self._flow.question(self._session.llm.state_after(self._session.history))

    def _keys_expected(self) -> int:
        if self._flow is None or not isinstance(self._session.llm, DialogueLlm):
            return MAX_KEYS
        return self._flow.keys_expected(self._session.llm.state_after(self._session.history))

    def _key_rules(self) -> tuple[str, float]:
        if self._flow is None or not isinstance(self._session.llm, DialogueLlm):
            return END_KEY, PAUSE_S
        return self._flow.key_rules(self._session.llm.state_after(self._session.history))

    def _on_keys(self, keys: str) -> None:
        if not self._closed:
            self._session.generate_reply(user_input=keys_as_text(keys))
