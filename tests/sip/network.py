"""A network in memory and a clock turned by hand: whole calls in virtual time, without sockets."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from telephony.clock import ManualClock
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.message import SipRequest, SipResponse, parse_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sip.transport import Transport
    from telephony.sip.via import Address

_STEP_S = 0.05


class MemoryTransport:
    """One end of the network in memory."""

    protocol = "UDP"
    reliable = False

    def __init__(self, network: Network, local: Address) -> None:
        self.on_message: Callable[[bytes, Address, Transport], None] = lambda _data, _source, _transport: None
        self.on_failure: Callable[[Address, str, bool], None] = lambda _address, _why, _sent: None
        self.on_malformed: Callable[[bytes, Address], None] = lambda _data, _source: None
        self._network = network
        self._local = local

    @property
    def local(self) -> Address:
        return self._local

    def send(self, data: bytes, to: Address) -> None:
        self._network.carry(data, self._local, to)

    async def close(self) -> None:
        self._network.unplug(self._local)


class Peer:
    """An address that records what it is sent, for a test that plays the other end itself."""

    def __init__(self, network: Network, local: Address) -> None:
        self._transport = MemoryTransport(network, local)
        self.received: list[SipRequest | SipResponse] = []
        self._transport.on_message = lambda data, _source, _transport: self.received.append(
            parse_message(data)
        )
        network.plug(self._transport)

    def send(self, data: bytes, to: Address) -> None:
        self._transport.send(data, to)

    def take(self) -> list[SipRequest | SipResponse]:
        """What came since the last call."""
        received, self.received = self.received, []
        return received

    def requests(self, method: str) -> list[SipRequest]:
        """All requests of a method that came."""
        return [m for m in self.received if isinstance(m, SipRequest) and m.method == method]

    def statuses(self) -> list[int]:
        """The statuses of all responses that came."""
        return [message.status for message in self.received if isinstance(message, SipResponse)]


class Network:
    """Carries messages between transports; ``log`` has each as it was sent, ``drop`` may lose some."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.log: list[tuple[float, SipRequest | SipResponse]] = []
        self.drop: Callable[[SipRequest | SipResponse], bool] = lambda _message: False
        self._ends: dict[Address, MemoryTransport] = {}
        self._under_way: deque[tuple[bytes, Address, Address]] = deque()
        self._endpoints: list[SipEndpoint] = []

    def plug(self, transport: MemoryTransport) -> None:
        self._ends[transport.local] = transport

    def unplug(self, local: Address) -> None:
        self._ends.pop(local, None)

    def endpoint(self, host: str, *, port: int = 5060) -> SipEndpoint:
        """A new endpoint on this network."""
        endpoint = SipEndpoint(self.clock, f"Test {host}")
        transport = MemoryTransport(self, (host, port))
        self.plug(transport)
        endpoint.stack.host = host
        endpoint.stack.add(transport)
        self._endpoints.append(endpoint)
        return endpoint

    def peer(self, host: str, *, port: int = 5060) -> Peer:
        """A new address that the test plays itself."""
        return Peer(self, (host, port))

    def carry(self, data: bytes, source: Address, to: Address) -> None:
        message = parse_message(data)
        self.log.append((self.clock.now(), message))
        if not self.drop(message):
            self._under_way.append((data, source, to))

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        quiet = 0
        while quiet < 5:
            quiet += 1
            while self._under_way:
                data, source, to = self._under_way.popleft()
                end = self._ends.get(to)
                if end is not None:
                    end.on_message(data, source, end)
                quiet = 0
            await asyncio.sleep(0)

    async def run(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass."""
        end = self.clock.now() + seconds
        await self.settle()
        while self.clock.now() < end - 1e-9:
            self.clock.advance(min(_STEP_S, end - self.clock.now()))
            await self.settle()

    def sent(self, method: str) -> list[float]:
        """When requests of a method were sent, by whomever."""
        return [
            at for at, message in self.log if isinstance(message, SipRequest) and message.method == method
        ]

    def answered(self, status: int, method: str | None = None) -> list[float]:
        """When responses of a status were sent, by whomever."""
        return [
            at
            for at, message in self.log
            if isinstance(message, SipResponse)
            and message.status == status
            and (method is None or message.cseq.method == method)
        ]

    async def close(self) -> None:
        """Close all endpoints and check that none left a timer or a task."""
        for endpoint in self._endpoints:
            await endpoint.close()
        assert self.clock.pending == 0
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others
