"""livekit-server's half of the bus alone, for answers that the real one gives only in LiveKit's cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from google.protobuf import empty_pb2

from telephony.bridge import wire
from telephony.bridge.bus import RedisAddress, RedisBus
from telephony.bridge.io_service import SERVICE, DispatchResult
from telephony.bridge.rpc_server import RpcServer
from telephony.clock import LoopClock
from telephony.errors import BusError

if TYPE_CHECKING:
    from tests.contract.process import BridgeProcess

NOWHERE = "ws://127.0.0.1:9"
"""A livekit-server that nobody can reach."""


class ServerDouble:
    """Answers what a bridge asks of an INVITE, by the number that was called.

    Attributes:
        bridge: asks it; its livekit-server cannot be reached.
        trunks, rules: what is answered, or the error; where nothing is set a trunk and DROP.
    """

    def __init__(self, bridge: BridgeProcess, redis_port: int) -> None:
        self.bridge = bridge
        self.trunks: dict[str, dict[str, Any] | BusError] = {}
        self.rules: dict[str, dict[str, Any] | BusError] = {}
        self._bus = RedisBus(RedisAddress("127.0.0.1", redis_port))
        self._server = RpcServer(self._bus, SERVICE, LoopClock())

    async def __aenter__(self) -> Self:
        await self._bus.start()
        await self._server.register(
            "GetSIPTrunkAuthentication", wire.GetSIPTrunkAuthenticationRequest, self._trunk
        )
        await self._server.register(
            "EvaluateSIPDispatchRules", wire.EvaluateSIPDispatchRulesRequest, self._rule
        )
        for method in ("UpdateSIPCallState", "RecordCallContext"):
            await self._server.register(method, empty_pb2.Empty, _nothing)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()
        await self._bus.close()

    async def _trunk(self, request: Any) -> Any:
        answer = self.trunks.get(request.call.to.user, {"sip_trunk_id": "ST_double"})
        if isinstance(answer, BusError):
            raise answer
        return wire.GetSIPTrunkAuthenticationResponse(**answer)

    async def _rule(self, request: Any) -> Any:
        answer = self.rules.get(request.call.to.user, {"result": DispatchResult.DROP})
        if isinstance(answer, BusError):
            raise answer
        return wire.EvaluateSIPDispatchRulesResponse(**{"sip_trunk_id": "ST_double", **answer})


async def _nothing(_: Any) -> Any:
    return empty_pb2.Empty()
