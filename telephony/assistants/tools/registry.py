"""All tools by name."""

from __future__ import annotations

from typing import Final

from telephony.assistants.tools.answers import note_answer
from telephony.assistants.tools.appointments import book_appointment
from telephony.assistants.tools.ending import end_call
from telephony.assistants.tools.opening import opening_hours
from telephony.assistants.tools.operator import transfer_to_operator
from telephony.assistants.tools.recording import refuse_recording
from telephony.assistants.tools.tool import Tool

_ALL: Final = (
    Tool.of(book_appointment),
    Tool.of(opening_hours),
    Tool.of(transfer_to_operator, after_speaking=True),
    Tool.of(note_answer),
    Tool.of(refuse_recording),
    Tool.of(end_call),
)

TOOLS: Final[dict[str, Tool]] = {tool.name: tool for tool in _ALL}
"""What an assistant's file may list under ``tools``."""
