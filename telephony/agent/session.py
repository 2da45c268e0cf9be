"""An ``AgentSession`` tuned for a telephone call.

Every choice that differs from livekit-agents' defaults, which are for browsers, is here with its
reason. The end of a turn is decided by voice activity alone: the model for it waits 2.5 s by mistake now
and then. Interruptions are decided by ``telephony.turns``, and livekit-agents' own are switched off, unless
an assistant wants them back; its adaptive ones need a cloud.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from livekit.agents import AgentSession, APIConnectOptions, TurnHandlingOptions
from livekit.agents.voice.agent_session import SessionConnectOptions

from telephony.speech.providers import Ears

if TYPE_CHECKING:
    from telephony.agent.turn_taking import TurnTaking
    from telephony.assistants.schema import Assistant
    from telephony.speech.providers import Providers
    from telephony.speech.realtime import RealtimeProviders

MAX_ENDPOINTING_S = 1.2
"""Longest wait for a turn's end."""
INTERRUPTION_S = 0.2
"""Speech of the caller that stops the agent, where no handler decides."""
INTERRUPTION_VARIABLE = "TRUNKLINE_INTERRUPTION_S"
"""Names another length in the environment, for measurements: the shorter, the more a cough interrupts."""
NEVER_S = 86_400.0
"""Speech that no call has: livekit-agents interrupts nothing by itself."""
FALSE_INTERRUPTION_S = 1.0
"""Without a word recognised for this long after it stopped, the agent goes on speaking."""
NO_TRANSCRIPT_S = 2.0
"""Without a word recognised for this long after the caller spoke, the caller was not understood."""
SECOND_HEARING_S = 1.2
"""How long a recogniser that stands in may take for the same speech."""
_MOST_ERRORS = 1_000_000
LAST_WORDS_S = 0.3
"""How long a closing session waits for the caller's last words."""

PROVIDER_LIMITS = APIConnectOptions(max_retry=1, retry_interval=0.3, timeout=5.0)
"""A telephone call cannot wait ten seconds for a provider, nor three times."""


def phone_session(
    providers: Providers, assistant: Assistant, turns: TurnTaking | None = None
) -> AgentSession[None]:
    """Build the session of one call; it is not started.

    Args:
        turns: who decides on interruptions; None to leave them to livekit-agents.
    """
    handled = turns is not None and assistant.turns.enabled
    silence_s = turns.silence_s if turns is not None else assistant.endpointing.silence_ms / 1000
    least_s = float(os.environ.get(INTERRUPTION_VARIABLE) or INTERRUPTION_S)
    return AgentSession(
        stt=providers.stt,
        llm=providers.llm,
        tts=providers.tts,
        vad=turns.watching(providers.vad) if turns is not None else providers.vad,
        turn_handling=TurnHandlingOptions(
            turn_detection="vad",
            # Where turns are handled, the text so far changes it from word to word.
            endpointing={"mode": "fixed", "min_delay": silence_s, "max_delay": MAX_ENDPOINTING_S},
            interruption={
                "enabled": True,
                "mode": "vad",
                "min_duration": NEVER_S if handled else least_s,
                "resume_false_interruption": not handled,
                "false_interruption_timeout": FALSE_INTERRUPTION_S,
                # What is said into words that must be heard is kept, and heard after them.
                "discard_audio_if_uninterruptible": not handled,
            },
            # The answer is worked out and voiced while the end of the turn is still being waited for.
            preemptive_generation={"enabled": True, "preemptive_tts": True},
        ),
        # The default makes the agent deaf for the first three seconds of its own speech.
        aec_warmup_duration=None,
        session_close_transcript_timeout=LAST_WORDS_S,
        transcription_timeout=_understood_within_s(providers),
        user_away_timeout=assistant.silence.after_s,
        conn_options=SessionConnectOptions(
            stt_conn_options=PROVIDER_LIMITS,
            llm_conn_options=PROVIDER_LIMITS,
            tts_conn_options=PROVIDER_LIMITS,
            # A call is not ended without a word: ``dead_air`` counts them.
            max_unrecoverable_errors=_MOST_ERRORS,
        ),
    )


def realtime_session(
    providers: RealtimeProviders, assistant: Assistant, turns: TurnTaking
) -> AgentSession[None]:
    """Build the session of a call that one model hears and speaks; it is not started.

    The detector is the line's own: it pauses the agent and measures how long the caller waits. The model's
    own detection decides when a turn is over.
    """
    return AgentSession(
        llm=providers.llm,
        tts=providers.tts,
        vad=turns.watching(providers.vad),
        turn_handling=TurnHandlingOptions(
            turn_detection="realtime_llm",
            interruption={
                "enabled": True,
                "mode": "vad",
                "min_duration": NEVER_S,
                "resume_false_interruption": False,
                "false_interruption_timeout": FALSE_INTERRUPTION_S,
                # The model hears what is said into words that must be heard, and answers after them.
                "discard_audio_if_uninterruptible": False,
            },
        ),
        aec_warmup_duration=None,
        session_close_transcript_timeout=LAST_WORDS_S,
        user_away_timeout=assistant.silence.after_s,
        conn_options=SessionConnectOptions(
            tts_conn_options=PROVIDER_LIMITS, max_unrecoverable_errors=_MOST_ERRORS
        ),
    )


def ears_of(assistant: Assistant) -> Ears:
    """What an assistant wants of the voice activity detector."""
    wanted = assistant.endpointing
    return Ears(
        wanted.shortest_ms if assistant.turns.enabled else None,
        wanted.min_speech_ms,
        wanted.prefix_padding_ms,
        wanted.threshold,
    )


def _understood_within_s(providers: Providers) -> float:
    guarded = providers.guarded_stt
    if guarded is None:
        return NO_TRANSCRIPT_S
    # By then also a recogniser that stands in has told what it heard.
    return guarded.deadlines.stt_final_ms / 1000 + SECOND_HEARING_S


def close_without_waiting(session: AgentSession[Any]) -> None:
    """Let a session close at once, where the caller has no last words to wait for."""
    session.options.session_close_transcript_timeout = 0.0
