"""Handing the phone of a call over to somebody else: REFER, and what became of it (RFC 3515).

Mirrors livekit/sip v1.11.0 ``pkg/sip/transfer.go`` and its errors. Guarantees: at most one transfer of a call
is under way; asked again for the same target, whoever asks waits for the same one; whoever asked is answered
within the ringing time; after a success the call is over, by the phone's BYE or, a second later, by ours.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from telephony.bridge import attributes, ending
from telephony.bridge.outbound_failure import psrpc_code
from telephony.bridge.outbound_order import OWN_HEADERS
from telephony.bridge.ringback_media import RingbackMedia
from telephony.errors import BusError, SipError, SipParseError
from telephony.logs import get_logger
from telephony.sip.outcome import Outcome
from telephony.sip.uri import SipUri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.bridge.call import Call
    from telephony.sip.incoming import IncomingRequest

log = get_logger(__name__)

RINGING_S = 30.0
"""How long the other side may ring where nobody says, as with livekit-server."""

LAST_WORD_S = 1.0
"""How long the phone may take to hang up by itself once it has been handed over."""

_STATUS_LINE = re.compile(rb"\s*SIP/2\.0 (\d{3})(?: ([^\r\n]*))?")
_WAIT_MARGIN_S = 10.0


class Transfers:
    """The transfers of one call; one after another.

    Args:
        call: whose phone is handed over.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._clock = call.services.clock
        self._target = ""
        self._result: Outcome[BusError | None] | None = None
        self._notified: Outcome[tuple[int, str]] = Outcome()
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        call.on_notify = self._on_notify

    async def transfer(
        self,
        target: str,
        *,
        headers: Mapping[str, str],
        ringing_s: float = RINGING_S,
        dial_tone: bool = False,
    ) -> None:
        """Hand the phone over; returns when the other side has answered.

        Args:
            target: a ``sip:``, ``sips:`` or ``tel:`` address, in angle brackets or not.
            headers: further lines of the REFER.
            dial_tone: let the phone hear the ringing tone instead of the room meanwhile.

        Raises:
            BusError: as livekit-sip says it; with the SIP status where there was one.
        """
        address = _address(target)
        if self._result is None or self._result.done:
            self._begin(address, headers, ringing_s, dial_tone=dial_tone)
        elif address != self._target:
            raise BusError("another transfer of this call is under way", code="invalid_argument")
        assert self._result is not None, "just begun"
        try:
            failure = await self._result.wait(self._clock, ringing_s + _WAIT_MARGIN_S)
        except TimeoutError:
            failure = _timed_out()
        if failure is not None:
            raise BusError(failure.message, code=failure.code, sip_status=failure.sip_status)

    async def close(self) -> None:
        """The call is over: nothing of a transfer stays."""
        tasks = [task for task in (self._task, self._leaving) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, address: str, headers: Mapping[str, str], ringing_s: float, *, dial_tone: bool) -> None:
        session = self._call.session
        if session is None or session.ended.is_set():
            raise BusError("the call is not up, so it cannot be transferred", code="failed_precondition")
        self._target = address
        result: Outcome[BusError | None] = Outcome()
        self._result = result
        self._notified = Outcome()
        lines = [(name, attributes.clean(value)) for name, value in headers.items()]
        lines += attributes.attribute_headers(self._call.caller.attributes, self._call.bye_headers)
        kept = [line for line in lines if line[0].lower() not in OWN_HEADERS | {"refer-to"}]
        self._task = asyncio.create_task(
            self._run(result, [("Refer-To", f"<{address}>"), *kept], ringing_s, dial_tone=dial_tone)
        )

    async def _run(
        self,
        result: Outcome[BusError | None],
        lines: list[tuple[str, str]],
        ringing_s: float,
        *,
        dial_tone: bool,
    ) -> None:
        call = self._call
        if dial_tone:
            call.carry(RingbackMedia(call.media))
        failure: BusError | None = BusError("the transfer was given up", code="canceled")
        try:
            failure = await self._refer(lines, ringing_s)
        except SipParseError as error:
            failure = BusError(f"the transfer cannot be asked for: {error}", code="invalid_argument")
        except SipError as error:
            failure = BusError(f"the transfer was not answered: {error}", code="canceled")
        finally:
            call.handed_over = failure is None
            if failure is not None and dial_tone and not call.over.done:
                call.carry(call.media)
            result.set(failure)
        log.info(
            "transfer_ended",
            call_id=call.record.call_id,
            ok=failure is None,
            reason=failure.message if failure is not None else "",
        )
        if failure is None:
            self._leaving = asyncio.create_task(self._leave())

    async def _refer(self, lines: list[tuple[str, str]], ringing_s: float) -> BusError | None:
        call, session = self._call, self._call.session
        assert session is not None, "checked before"
        until = self._clock.now() + ringing_s
        response = await session.request("REFER", lines)
        if response.status >= 300:
            return _failed(response.status, response.reason, why="REFER refused, ")
        # From now on the phone may hang up, since it is somebody else's.
        call.handed_over = True
        waiting = asyncio.create_task(self._notified.wait(self._clock, max(0.0, until - self._clock.now())))
        ended = asyncio.create_task(session.ended.wait())
        try:
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                return None
            status, phrase = waiting.result()
        except TimeoutError:
            return _timed_out()
        finally:
            waiting.cancel()
            ended.cancel()
        return None if status < 300 else _failed(status, phrase)

    async def _leave(self) -> None:
        session = self._call.session
        assert session is not None, "it was transferred"
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await session.ended.wait()
        except TimeoutError:
            log.debug("phone_did_not_hang_up", call_id=self._call.record.call_id)
        self._call.end(ending.TRANSFERRED)

    def _on_notify(self, incoming: IncomingRequest) -> None:
        request = incoming.request
        incoming.respond(200)
        event = (request.headers.get("Event") or "").partition(";")[0].strip().lower()
        told = _STATUS_LINE.match(request.body)
        if event != "refer" or told is None:
            return
        status = int(told[1])
        log.info("transfer_told", call_id=self._call.record.call_id, sip_status=status)
        if status >= 200:
            self._notified.set((status, (told[2] or b"").decode(errors="replace").strip()))


def _address(target: str) -> str:
    """The address of a transfer as it stands between angle brackets.

    Raises:
        BusError: ``invalid_argument``.
    """
    text = target.strip().removeprefix("<").removesuffix(">")
    try:
        uri = SipUri.parse(text)
    except SipParseError as error:
        raise BusError(f"transfer_to is not an address: {error.message}", code="invalid_argument") from error
    if uri.scheme not in ("sip", "sips", "tel"):
        raise BusError("transfer_to must be a sip:, sips: or tel: address", code="invalid_argument")
    return str(uri)


def _failed(status: int, phrase: str, *, why: str = "") -> BusError:
    return BusError(
        f"call transfer failed: {why}sip status {status}: {phrase}",
        code=psrpc_code(status),
        sip_status=(status, phrase),
    )


def _timed_out() -> BusError:
    return BusError("the other side did not answer the transfer in time", code="deadline_exceeded")
