"""What livekit-server asks of a SIP node: the psrpc service ``SIPInternal``.

Mirrors livekit/protocol ``rpc/sip.proto``: CreateSIPParticipant for everybody, TransferSIPParticipant on the
topic of each call. Guarantee: of several bridges on one Redis exactly one takes a request; while this one
drains or is full it stays silent, so that another one does, or the server says that nobody answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from google.protobuf import empty_pb2

from telephony.bridge import permits, wire
from telephony.bridge.io_service import seconds_of
from telephony.bridge.outbound_order import read_order
from telephony.bridge.rpc_server import RpcServer
from telephony.bridge.transfer import RINGING_S, Transfers
from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from telephony.bridge.call import Call
    from telephony.bridge.outbound import OutboundCall
    from telephony.bridge.outbound_order import DialOrder
    from telephony.bridge.rpc_client import Bus
    from telephony.clock import Clock

log = get_logger(__name__)

SERVICE = "SIPInternal"
_CREATE = "CreateSIPParticipant"
_TRANSFER = "TransferSIPParticipant"
_REGISTERED_S = 3.0
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
        self._bus = bus
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

    @contextlib.asynccontextmanager
    async def transfers(self, sip_call_id: str, call: Call) -> AsyncIterator[None]:
        """Serve the transfers of a call while it lasts; what else the call does waits for nothing of it."""
        transfers = Transfers(call)

        async def register() -> None:
            try:
                await self._server.register(
                    _TRANSFER,
                    wire.InternalTransferSIPParticipantRequest,
                    lambda request: _transfer(transfers, request),
                    topic=sip_call_id,
                )
            except BusError as error:
                log.warning("transfers_not_served", call_id=call.record.call_id, reason=error.message)

        registering = asyncio.create_task(register())
        try:
            yield
        finally:
            await transfers.close()
            await asyncio.wait({registering}, timeout=_REGISTERED_S)
            registering.cancel()
            await self._server.deregister(_TRANSFER, topic=sip_call_id)

    async def close(self) -> None:
        """Take no more; what runs is cancelled."""
        await self._server.deregister(_CREATE)
        await self._server.close()

    async def _create(self, request: Any) -> Any:
        order = read_order(request, self._own_host)
        await permits.take(self._bus, order.attributes)
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


async def _transfer(transfers: Transfers, request: Any) -> Any:
    await transfers.transfer(
        request.transfer_to,
        headers=dict(request.headers),
        ringing_s=seconds_of(request.ringing_timeout) or RINGING_S,
        dial_tone=request.play_dialtone,
    )
    return empty_pb2.Empty()
