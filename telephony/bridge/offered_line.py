"""The direct line of a call that we dial: offered to the agent of the room, who may be on this machine.

The name of the call's socket is an attribute of the phone's participant (``trunkline.link``). Whoever of this
machine and this user connects before the answer has the call's audio; where nobody does, it goes through the
room. Nobody is sent for from here: where the agent's job dies, its worker sees that and sends for another
one, and the call offers a new socket to it; meanwhile the phone hears the clips, as in a call that came in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

from telephony.bridge.agent_order import AgentOrder
from telephony.bridge.direct_line import DirectLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telephony.clock import Clock
    from telephony.dispatch.client import DispatchClient
    from telephony.rtp.thread import MediaThread


class OfferedLine(DirectLine):
    """One call's offer.

    Attributes:
        on_offered: told the name of each further socket, for the agent that takes over.
    """

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
        self.on_offered: Callable[[str], None] | None = None

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
    async def _launch(
        self, until: float, *, persistent: bool, on_reserved: Callable[[], None] = lambda: None
    ) -> None:
        self._arrived = False
        self._attempt = asyncio.get_running_loop().create_future()
        name = await self.offer()
        if self.on_offered is not None:
            self.on_offered(name)

    @override
    def _gone(self, died: bool) -> None:
        if not self._closed and not self._answered:
            # Whoever follows it may still come before the phone answers.
            self._spawn(self._launch(0.0, persistent=True))
        else:
            super()._gone(died)
