"""The bridge as a whole: its sockets, its bus, its calls; start, drain, stop.

Guarantee: after ``stop`` there is no socket, task or participant left. While draining, new INVITEs are
refused with 503 and calls that are up go on; after ``cut`` everybody has been told BYE.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.bridge import refusal
from telephony.bridge.allowance import Allowance
from telephony.bridge.bus import RedisBus
from telephony.bridge.call_services import CallServices
from telephony.bridge.ending import Ending
from telephony.bridge.health import HealthServer
from telephony.bridge.hold_music import HoldMusic
from telephony.bridge.inbound import InboundCall
from telephony.bridge.io_service import SERVICE, IoService
from telephony.bridge.limits import CallLimits
from telephony.bridge.livekit_rooms import LiveKitRooms
from telephony.bridge.metrics import BridgeMetrics
from telephony.bridge.outbound import OutboundCall
from telephony.bridge.parties import inbound_parties
from telephony.bridge.pin_sounds import PinSounds
from telephony.bridge.recent import RecentInvites
from telephony.bridge.record import CallRecord
from telephony.bridge.register import Registrations
from telephony.bridge.rpc_client import RpcClient
from telephony.bridge.sip_internal import SipInternal
from telephony.bridge.trunk_auth import TrunkAuth
from telephony.calls.ids import call_id_from_attributes, call_id_from_sip, mint_call_id
from telephony.clock import LoopClock
from telephony.dispatch.client import DispatchClient
from telephony.errors import BusError
from telephony.logs import get_logger
from telephony.recording.recorder import Recorder
from telephony.rtp.ports import PortPool
from telephony.rtp.thread import MediaThread
from telephony.sip import session_timer
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.session_timer import TooBrief

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telephony.bridge.config import BridgeConfig
    from telephony.bridge.outbound_order import DialOrder
    from telephony.bridge.refusal import Refusal
    from telephony.clock import Clock
    from telephony.sip.endpoint import EndpointStats
    from telephony.sip.incoming import IncomingInvite

log = get_logger(__name__)

_CUT_TIMEOUT_S = 15.0
_LAST_WORDS_S = 2.0
_DISPATCHER_S = 2.0

REFUSALS_BURST = 50
REFUSALS_PER_S = 2.0
"""How many refusals are written down one by one; of a flood the rest is only counted."""


class BridgeService:
    """One running bridge.

    Args:
        clock: the loop's by default.
        call_over: called after each call's end, when nothing of it is counted any more.
    """

    def __init__(
        self,
        config: BridgeConfig,
        clock: Clock | None = None,
        *,
        call_over: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._call_over = call_over
        self._clock = clock or LoopClock()
        self._bus = RedisBus(config.redis.to_address())
        self._rpc = RpcClient(self._bus, SERVICE, self._clock)
        self._endpoint = SipEndpoint(self._clock)
        self._endpoint.on_invite = self._on_invite
        self._endpoint.extensions = frozenset({session_timer.OPTION})
        accounts = [section.to_account() for section in config.sip_registrations]
        self._registrations = Registrations(accounts, self._endpoint, self._clock)
        self._numbers = {one.username: one.number for one in accounts if one.number}
        self._media = MediaThread(realtime=True)
        self._recent = RecentInvites(self._clock)
        self._trunk_auth = TrunkAuth(self._clock)
        self._allowance = Allowance(self._clock, burst=REFUSALS_BURST, per_s=REFUSALS_PER_S)
        self._limits = CallLimits(config.caps)
        self._metrics = BridgeMetrics(
            socket.gethostname(), active=self._under_way, available=lambda: self.health()[0] == 200
        )
        self._recorder = Recorder()
        self._health = HealthServer(self.health, self.metrics)
        self._services: CallServices | None = None
        self._internal = SipInternal(
            self._bus,
            self._clock,
            config.advertised_ip,
            takes=lambda: not self._draining and not self._limits.is_full,
            place=self._dial,
        )
        self._calls: dict[str, tuple[InboundCall | OutboundCall, asyncio.Task[None]]] = {}
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active_calls(self) -> int:
        """Calls that are up or ringing."""
        return len(self._calls)

    @property
    def sip_port(self) -> int:
        """The port that SIP is listened on."""
        return self._endpoint.port

    @property
    def health_port(self) -> int | None:
        """The port of the health server, or None when it is off."""
        return self._health.port or None

    async def start(self) -> None:
        """Open everything and write the ready file.

        Raises:
            BusError: Redis cannot be reached.
            PortTakenError: the SIP or health port is in use.
            ConfigError, RtpError: an address or range cannot be used.
        """
        config = self._config
        try:
            await self._bus.start()
            await self._rpc.start()
            ports = PortPool.parse(config.listen_ip, config.rtp_port)
            rooms = LiveKitRooms(config.ws_url, config.api_key, config.api_secret)
            dispatcher = await _dispatcher(config)
            self._services = CallServices(
                config,
                self._clock,
                self._media,
                ports,
                IoService(self._rpc, self._numbers),
                rooms,
                dispatcher,
                self._recorder,
                self._limits,
                PinSounds.load(config.pin.prompt, config.pin.wrong),
                HoldMusic.load(config.hold_music),
            )
            await _warm_up()
            self._media.start()
            await self._endpoint.start(
                config.listen_ip, config.sip_port, advertised_host=config.advertised_ip, tcp=True
            )
            await self._internal.start()
            if config.health_port is not None:
                await self._health.start(config.health_port)
        except BaseException:
            await self._close()
            raise
        if config.ready_file is not None:
            _write_ready(config.ready_file, self.sip_port, self.health_port)
        self._registrations.start()
        log.info("bridge_ready", sip_port=self.sip_port, health_port=self.health_port)

    def refuse_new_calls(self) -> None:
        """Answer every new INVITE with 503 from now on."""
        self._draining = True

    async def drain(self) -> None:
        """Take no new calls, and come back when the last one has ended."""
        self.refuse_new_calls()
        log.info("bridge_draining", calls=self.active_calls)
        await self._idle.wait()

    async def cut(self) -> None:
        """End every call now; bounded."""
        self.refuse_new_calls()
        log.info("bridge_cutting", calls=self.active_calls)
        for call, _ in list(self._calls.values()):
            call.stop()
        tasks = {task for _, task in self._calls.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CUT_TIMEOUT_S)
            for task in late:
                log.error("call_did_not_end")
                task.cancel()

    async def stop(self) -> None:
        """End what is left and close everything; bounded."""
        await self._registrations.close()
        await self.cut()
        await self._last_words()
        await self._close()
        if self._config.ready_file is not None:
            self._config.ready_file.unlink(missing_ok=True)
        log.info("bridge_stopped")

    def health(self) -> tuple[int, str]:
        """HTTP status and a word."""
        if self._draining:
            return 503, "stopping"
        if not self._bus.connected:
            return 503, "no redis"
        if self._limits.is_full:
            return 429, "at the limit of calls"
        trouble = self._registrations.trouble()
        return 200, f"ok, but {trouble}" if trouble else "ok"

    def endpoint_stats(self) -> EndpointStats:
        """What SIP has under way."""
        return self._endpoint.stats

    def media_ports_taken(self) -> int:
        """How many media ports calls have."""
        return self._services.ports.taken if self._services is not None else 0

    def metrics(self) -> bytes:
        """Prometheus text."""
        return self._metrics.render(
            active=self.active_calls,
            lateness=self._media.clock.lateness,
            bus_connected=self._bus.connected,
            registered=self._registrations.states(),
        )

    def _under_way(self) -> list[tuple[str, str]]:
        return [
            ("outbound", call.order.uri.host)
            if isinstance(call, OutboundCall)
            else ("inbound", self._config.advertised_ip)
            for call, _ in self._calls.values()
        ]

    # Calls

    def _on_invite(self, invite: IncomingInvite) -> None:
        self._metrics.came()
        key = (invite.request.call_id, invite.request.from_.tag or "")
        known = self._recent.refused(key)
        if known is not None:
            invite.respond(known.status, known.reason, headers=known.headers())
            return
        if isinstance(terms := session_timer.accept(invite.request), TooBrief):
            # The caller comes back with another interval: this is no refusal of its call.
            invite.respond(422, headers=terms.headers)
            return
        sip_call_id = self._recent.call_id(key)
        if sip_call_id in self._calls:
            # Another INVITE of a call that is ringing here: it came by a second way.
            invite.respond(482)
            return
        invite.local_tag = sip_call_id
        record = CallRecord(
            self._clock,
            call_id_from_sip(sip_call_id),
            direction="inbound",
            events_dir=self._config.events_dir,
        )
        if refused := self._at_the_door(invite, sip_call_id):
            record.mark("invite")
            record.parties = inbound_parties(invite, sip_call_id)
            invite.respond(refused.status, refused.reason, headers=refused.headers())
            self._tell_refusal(record, refused)
            return
        invite.respond(100, "Processing")
        assert self._services is not None, "the endpoint is started last"
        call = InboundCall(invite, sip_call_id, self._services, self._trunk_auth, record)
        task = asyncio.get_running_loop().create_task(self._carry(call, sip_call_id, key, record))
        self._calls[sip_call_id] = (call, task)
        self._idle.clear()

    def _at_the_door(self, invite: IncomingInvite, sip_call_id: str) -> Refusal | None:
        if self._draining:
            return refusal.draining()
        return self._limits.enter(sip_call_id, invite.source[0])

    async def _carry(
        self, call: InboundCall, sip_call_id: str, key: tuple[str, str], record: CallRecord
    ) -> None:
        asks = False
        try:
            async with self._internal.transfers(sip_call_id, call.call):
                result = await call.run()
            asks = result is None
            if isinstance(result, Ending):
                self._recent.forget(key)
                self._metrics.ended(result.name, record, self._config.advertised_ip)
            elif result is not None:
                self._recent.refuse(key, result)
                self._tell_refusal(record, result)
        except Exception:
            # A call that broke must not take the others with it.
            log.exception("call_task_failed", call_id=record.call_id)
        finally:
            self._forget(sip_call_id)
        if asks:
            call.ask_for_credentials()

    def _dial(self, order: DialOrder) -> OutboundCall:
        services = self._services
        assert services is not None, "requests are taken once everything is open"
        self._take_place(order)
        record = CallRecord(
            self._clock,
            call_id_from_attributes(order.attributes) or mint_call_id(),
            direction="outbound",
            events_dir=self._config.events_dir,
        )
        call = OutboundCall(order, services, self._endpoint, record)
        task = asyncio.get_running_loop().create_task(self._carry_dialled(call, order.sip_call_id, record))
        self._calls[order.sip_call_id] = (call, task)
        self._idle.clear()
        return call

    def _take_place(self, order: DialOrder) -> None:
        limits, name = self._limits, order.sip_call_id
        refused = limits.enter(name, out=True) or limits.on_trunk(name, order.trunk_id, order.from_number)
        if refused is not None:
            limits.leave(name)
            raise BusError(refused.sentence, code="resource_exhausted", fix=refused.fix)

    async def _carry_dialled(self, call: OutboundCall, sip_call_id: str, record: CallRecord) -> None:
        try:
            async with self._internal.transfers(sip_call_id, call.call):
                how = await call.run()
            self._metrics.ended(how.name, record, call.order.uri.host)
        except Exception:
            # A call that broke must not take the others with it.
            log.exception("call_task_failed", call_id=record.call_id)
        finally:
            self._forget(sip_call_id)

    def _forget(self, sip_call_id: str) -> None:
        del self._calls[sip_call_id]
        self._limits.leave(sip_call_id)
        self._call_over()
        if not self._calls:
            self._idle.set()

    def _tell_refusal(self, record: CallRecord, refused: Refusal) -> None:
        self._metrics.refused(refused.status, refused.field, record, self._config.advertised_ip)
        # What has begun is ended in the record, however many are refused.
        if not record.begun and not self._allowance.take():
            return
        if unsaid := self._allowance.take_refused():
            log.warning("refusals_not_logged", count=unsaid)
        record.refused(refused)

    # The end

    async def _last_words(self) -> None:
        """Give BYEs and refusals that are not acknowledged yet a moment: closing would forget them."""
        deadline = self._clock.now() + _LAST_WORDS_S
        while self._clock.now() < deadline:
            stats = self._endpoint.stats
            if not stats.active_transactions and not stats.active_dialogs:
                return
            await asyncio.sleep(0.02)

    async def _close(self) -> None:
        await self._health.close()
        await self._internal.close()
        if self._endpoint.stack.transports:
            await self._endpoint.close()
        await self._media.stop()
        await asyncio.to_thread(self._recorder.close)
        if self._services is not None:
            if self._services.dispatcher is not None:
                await self._services.dispatcher.close()
            await self._services.rooms.close()
        await self._bus.close()


async def _dispatcher(config: BridgeConfig) -> DispatchClient | None:
    if config.audio_path == "room" or config.dispatch_socket is None:
        return None
    client = DispatchClient(config.dispatch_socket)
    client.start()
    if not await client.wait_connected(_DISPATCHER_S):
        log.warning("dispatcher_not_there", socket=str(config.dispatch_socket))
    return client


async def _warm_up() -> None:
    """Load the SDK's native library now rather than in the first call."""
    source = rtc.AudioSource(8000, 1)
    await source.aclose()


def _write_ready(path: Path, sip_port: int, health_port: int | None) -> None:
    content = json.dumps({"sip_port": sip_port, "health_port": health_port, "pid": os.getpid()})
    draft = path.with_name(path.name + ".new")
    draft.write_text(content + "\n", encoding="utf-8")
    draft.replace(path)
