"""What livekit-server asks of a SIP node: the psrpc service ``SIPInternal``.

Mirrors livekit/protocol ``rpc/sip.proto``: CreateSIPParticipant for everybody, TransferSIPParticipant on the
topic of each call. Guarantee: of several bridges on one Redis exactly one takes a request; while this one
drains or is full it stays silent, so that another one does, or the server says that nobody answers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from telephony.bridge import wire
from telephony.bridge.outbound_order import read_order
from telephony.bridge.rpc_server import RpcServer
from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.outbound import OutboundCall
    from telephony.bridge.outbound_order import DialOrder
    from telephony.bridge.rpc_client import Bus
    from telephony.clock import Clock

log = get_logger(__name__)

SERVICE = "SIPInternal"
_CREATE = "CreateSIPParticipant"
_LONGEST_S = 3600.0
_TAKES, _STAYS_SILENT = 1.0, -1.0


class SipInternal:
    """Serves one bridge's part.

    Args:
        own_host: stands in From where a trunk has no host of its own.
        takes: whether another call is taken now.
        place: begins a call.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        own_host: str,
        *,
        takes: Callable[[], bool],
        place: Callable[[DialOrder], OutboundCall],
    ) -> None:
        self._clock = clock
        self._own_host = own_host
        self._takes = takes
        self._place = place
        self._server = RpcServer(bus, SERVICE, clock)

    async def start(self) -> None:
        """Take requests from now on.

        Raises:
            BusError: Redis did not confirm.
        """
        await self._server.register(
            _CREATE,
            wire.InternalCreateSIPParticipantRequest,
            self._create,
            affinity=lambda _: _TAKES if self._takes() else _STAYS_SILENT,
        )

    async def close(self) -> None:
        """Take no more; what runs is cancelled."""
        await self._server.deregister(_CREATE)
        await self._server.close()

    async def _create(self, request: Any) -> Any:
        order = read_order(request, self._own_host)
        call = self._place(order)
        try:
            failure = await call.placed.wait(self._clock, _LONGEST_S)
        except asyncio.CancelledError:
            # The request's time is over, and nobody waits for the phone any more.
            call.give_up()
            raise
        if failure is not None:
            raise BusError(failure.message, code=failure.code, sip_status=failure.sip_status)
        return wire.InternalCreateSIPParticipantResponse(
            participant_id=call.participant_id,
            participant_identity=order.room.identity,
            sip_call_id=order.sip_call_id,
        )
