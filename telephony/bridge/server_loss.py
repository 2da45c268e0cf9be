"""A connected call while livekit-server is away: its watch is told, and its caller comes back to the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.rejoin import Rejoin

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.call import Call
    from telephony.bridge.people import People
    from telephony.bridge.watch import CallWatch


class ServerLoss:
    """One call's, from the answer on.

    Args:
        watch: ends the call when the server stays away.
        people: who is in the call at that moment.
    """

    def __init__(self, call: Call, watch: CallWatch, people: Callable[[], People]) -> None:
        assert call.place is not None, "known before the answer"
        self._call = call
        self._watch = watch
        self._people = people
        self._rejoin = Rejoin(call.caller, call.services.rooms, call.place, lambda: call.media)
        self._rejoin.on_seen = watch.server_seen
        self._rejoin.on_back = self._back
        call.caller.comes_back = True

    def lost(self, attributes: dict[str, str] | None = None) -> None:
        """The connection is lost; ``attributes`` are those to come back with, by default the caller's."""
        self._watch.server_lost()
        self._rejoin.lost(attributes)

    def mended(self) -> None:
        """The SDK has mended it by itself."""
        self._rejoin.mended()
        self._watch.server_back(self._people())

    async def close(self) -> None:
        """Try no more; bounded by the time of one join."""
        await self._rejoin.close()

    def _back(self) -> None:
        self._call.joined.set()
        self._watch.server_back(self._people())
