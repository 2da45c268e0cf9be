"""What a call has brought in so far, as its operator is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from telephony.agent.handover.briefing import briefing_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.agents import AgentSession

    from telephony.assistants.schema import Assistant
    from telephony.assistants.tools.desk import Desk

_KEYS = "[keys"


def briefing_of(
    assistant: Assistant, desk: Desk, session: AgentSession[Any], fields: Mapping[str, Any]
) -> str:
    """The words for the operator.

    Args:
        fields: what tools have collected; texts count.
    """
    return briefing_text(
        assistant.operator,
        about=desk.about,
        last_words=_last_words(session.history),
        number=desk.caller_number,
        fields={name: value for name, value in fields.items() if isinstance(value, str)},
    )


def _last_words(history: llm.ChatContext) -> str:
    for item in reversed(history.items):
        if isinstance(item, llm.ChatMessage) and item.role == "user":
            text = item.text_content or ""
            # What was pressed says nothing to whoever did not hear the question.
            return "" if text.startswith(_KEYS) else text
    return ""
