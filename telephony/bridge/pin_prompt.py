"""Ask a caller for the PIN of a dispatch rule, by sounds and keys.

Mirrors livekit/sip v1.11.0 ``pkg/sip/inbound.go``: the call is answered first, then the rules are asked
again with what was pressed. There a wrong PIN ends the call; here there are some tries. Guarantee: the
caller is let in by livekit-server alone, and the PIN stands in no log, event, attribute or recording, nor
is it told to the room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.audio.frame import silence
from telephony.bridge import refusal
from telephony.bridge.pin_entry import PinEntry
from telephony.bridge.pin_sounds import Announcement
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telephony.audio.frame import Samples
    from telephony.bridge.call import Call
    from telephony.bridge.refusal import Refusal

log = get_logger(__name__)

_LONGEST_S = 3600.0
_LAST_SOUND_S = 0.6


class PinPrompt:
    """The prompt of one answered call.

    Args:
        admit: asks the rules with a PIN; why the call is refused, ``refusal.WRONG_PIN`` where another PIN
            might do, or None.
    """

    def __init__(self, call: Call, admit: Callable[[str], Awaitable[Refusal | None]]) -> None:
        self._call = call
        self._admit = admit
        self._services = call.services
        self._sounds = call.services.pin_sounds
        self._announcement = Announcement()

    async def ask(self) -> Refusal | None:
        """Ask until the caller is let in, or why it is not; comes back at once when the call is over."""
        self._call.carry(self._announcement)
        tries = self._services.config.pin.tries
        refused: Refusal | None = refusal.WRONG_PIN
        for number in range(tries):
            keys = await self._enter()
            if self._call.over.done:
                return refusal.WRONG_PIN
            refused = refusal.WRONG_PIN if keys is None else await self._admit(keys)
            log.info("pin_entered", call_id=self._call.record.call_id, attempt=number + 1, ok=refused is None)
            if refused is not refusal.WRONG_PIN:
                return refused
            self._play(self._sounds.wrong)
            await asyncio.sleep(_LAST_SOUND_S)
        return refused

    async def _enter(self) -> str | None:
        entry = PinEntry(self._services.clock, self._services.config.pin.timeout)
        self._call.on_secret_key = lambda key: self._pressed(entry, key)
        self._play(self._sounds.ask)
        entered = asyncio.create_task(entry.result.wait(self._services.clock, _LONGEST_S))
        over = asyncio.create_task(self._call.over.wait(self._services.clock, _LONGEST_S))
        try:
            await asyncio.wait({entered, over}, return_when=asyncio.FIRST_COMPLETED)
            return entered.result() if entered.done() else None
        finally:
            entry.close()
            for task in (entered, over):
                task.cancel()

    def _pressed(self, entry: PinEntry, key: str) -> None:
        if not entry.begun:
            self._play(silence(0))
        entry.press(key)

    def _play(self, samples: Samples) -> None:
        self._services.media.post(self._announcement.play, samples)
