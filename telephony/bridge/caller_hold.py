"""Putting a caller on hold from the room: an attribute of the caller's participant asks, another one answers.

``trunkline.hold=music`` plays the music to the phone, anything else or nothing ends it; ``trunkline.held``
says what the phone hears now. Guarantees: the caller is never left on hold by an agent that is gone, and a
hold that was asked for before the answer begins with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.bridge.hold_media import HoldMedia
from telephony.calls.job_attributes import HELD, HOLD, HOLD_MUSIC
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.bridge.call import Call

log = get_logger(__name__)


class CallerHold:
    """The hold of one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._held = False
        self._refused = False
        self._telling: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether the phone hears the music."""
        return self._held

    def follow(self) -> None:
        """Do what the attributes say, once the call is connected."""
        asked = self._call.caller.attributes.get(HOLD) == HOLD_MUSIC
        if not asked:
            self._refused = False
        self._set(asked and not self._refused)

    def let_go(self) -> None:
        """Whoever asked for the hold is gone: the caller hears the path again, till somebody asks anew."""
        self._refused = True
        self._set(False)

    def close(self) -> None:
        """The call is over."""
        if self._telling is not None:
            self._telling.cancel()

    def _set(self, is_held: bool) -> None:
        call = self._call
        if is_held == self._held or not call.is_connected or call.over.done:
            return
        self._held = is_held
        call.carry(HoldMedia(call.media, call.services.hold_music) if is_held else call.media)
        log.info("caller_on_hold", call_id=call.record.call_id, on=is_held)
        self.close()
        told = {HELD: HOLD_MUSIC if is_held else ""}
        self._telling = asyncio.get_running_loop().create_task(call.caller.set_attributes(told))
