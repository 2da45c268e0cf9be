"""The direct line of a call that we dial: offered to the agent of the room, who may be on this machine.

The name of the call's socket is an attribute of the phone's participant (``trunkline.link``). Whoever of this
machine and this user connects before the answer has the call's audio; where nobody does, it goes through the
room. Nobody is sent for: the agent was in the room before, and where it dies the room is all that is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from telephony.bridge.agent_order import AgentOrder
from telephony.bridge.direct_line import DirectLine

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.clock import Clock
    from telephony.dispatch.client import DispatchClient
    from telephony.rtp.thread import MediaThread


class OfferedLine(DirectLine):
    """One call's offer."""

    def __init__(
        self,
        clock: Clock,
        folder: Path,
        dispatcher: DispatchClient,
        room: str,
        call_id: str,
        media: MediaThread,
    ) -> None:
        super().__init__(clock, folder, dispatcher, AgentOrder("", room, "", ""), call_id, media)

    async def offer(self) -> str:
        """Let an agent come; returns the name of the socket.

        Raises:
            LinkError: no socket can be made.
        """
        return await self._media.run(self.link.listen)

    @property
    def taken(self) -> bool:
        """Whether an agent is there."""
        return self.link.connected

    @override
    def _gone(self, died: bool) -> None:
        if self._closed or not self._answered:
            return
        self._left = True
        if self.on_left is not None:
            self.on_left()
