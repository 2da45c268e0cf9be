"""Ask a real livekit-server what it would do with an INVITE, as a bridge asks it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self

from livekit.protocol import sip as lk_sip

from provisioning.routing_table import Outcome
from telephony.bridge import wire
from telephony.bridge.bus import RedisAddress, RedisBus
from telephony.bridge.io_service import SERVICE, Dispatch, DispatchResult, IoService
from telephony.bridge.rpc_client import RpcClient
from telephony.clock import LoopClock
from telephony.errors import BusError

if TYPE_CHECKING:
    from provisioning.match import Call

_numbers = itertools.count(1)


class Asking:
    """A bridge's questions over the bus, without SIP. Use as an async context manager."""

    def __init__(self, redis_port: int) -> None:
        self._bus = RedisBus(RedisAddress("127.0.0.1", redis_port))

    async def __aenter__(self) -> Self:
        await self._bus.start()
        self._client = RpcClient(self._bus, SERVICE, LoopClock())
        await self._client.start()
        self._service = IoService(self._client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._bus.close()

    async def dispatch(self, call: Call) -> Dispatch | None:
        """What the server decides; None when it cannot choose and the caller would get 503."""
        message = sip_call(call)
        try:
            trunk = await self._service.authenticate(message)
            return await self._service.evaluate(message, trunk.trunk_id)
        except BusError as error:
            if error.code == "unavailable":
                raise
            return None

    async def outcome(self, call: Call) -> Outcome:
        """The same in our words; a refusal does not say which trunk was looked at."""
        dispatch = await self.dispatch(call)
        if dispatch is None:
            return Outcome("refused")
        if dispatch.result == DispatchResult.ACCEPT:
            return Outcome("accepted", dispatch.trunk_id, dispatch.rule_id)
        if dispatch.result == DispatchResult.REQUEST_PIN:
            return Outcome("pin", dispatch.trunk_id, dispatch.rule_id)
        return Outcome("dropped", dispatch.trunk_id)


def sip_call(call: Call) -> Any:
    """The message that a bridge sends for a call."""
    message = wire.SIPCall(
        lk_call_id=f"SCL_provision{next(_numbers):04d}",
        source_ip=call.source_ip,
        to=lk_sip.SIPUri(user=call.to_user, host="trunkline.test"),
        sip_call_id=f"call-{next(_numbers)}",
    )
    getattr(message, "from").CopyFrom(lk_sip.SIPUri(user=call.from_user, host=call.from_host))
    return message
