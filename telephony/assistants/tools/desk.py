"""What the tools of one call can reach: the diary, the hours, the operator, the line.

A tool sees the call only through this, so it runs in a test, a text conversation and a call alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telephony.assistants.tools.callbacks import CallbackList
from telephony.assistants.tools.diary import Diary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from telephony.assistants.schema import Assistant
    from telephony.assistants.tools.http import HttpReach


def _local_now() -> datetime:
    return datetime.now().astimezone()


@dataclass(slots=True)
class Desk:
    """The reach of one call's tools.

    Attributes:
        assistant: whose tools they are.
        diary: where appointments are kept.
        callbacks: whom the operator has to call.
        now: the time at the desk, with its zone.
        call_id: the call, for what is written down.
        caller_number: the caller's number; empty when it is withheld.
        transfer: hands the caller over to an address, returns when the other side has taken
            the call and raises when it has not; None where the line cannot transfer.
        about: what the caller wants, for whoever the call is handed to.
        hang_up: ends the call once what is being said has been heard.
        collected: told what the call has brought in, as names and values.
        refuse_recording: told that the caller does not want to be recorded.
        http: what HTTP tools go through; None where they are not carried out.
    """

    assistant: Assistant
    diary: Diary = field(default_factory=Diary)
    callbacks: CallbackList = field(default_factory=CallbackList)
    now: Callable[[], datetime] = _local_now
    call_id: str = ""
    caller_number: str = ""
    transfer: Callable[[str], Awaitable[None]] | None = None
    about: str = ""
    hang_up: Callable[[], None] = lambda: None
    collected: Callable[[dict[str, Any]], None] = lambda fields: None
    refuse_recording: Callable[[], None] = lambda: None
    http: HttpReach | None = None

    @classmethod
    def in_folder(cls, assistant: Assistant, folder: Path) -> Desk:
        """A desk whose diary and callbacks are kept in a line's folder of data."""
        return cls(assistant, Diary(folder / "diary.json"), CallbackList(folder / "callbacks.json"))
