"""Requests for calls through our api beside LiveKit's own: how soon the INVITE leaves, and how many a second.

Part of ``bench/dialling.py``. Ours does more before the phone rings: the guard, the permit on disk, the room,
an agent in it. Both go over the same livekit-server, bridge and carrier, one after the other.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from livekit import api

from tests.bridge.called_phone import CalledPhone
from tests.e2e.outbound import CALLER_ID, outbound_line, trunk
from tests.waiting import until

if TYPE_CHECKING:
    from bench.figures import Report
    from tests.bridge.called_phone import CalledLeg
    from tests.e2e.outbound import OutboundLine

_AREA = "+1212555"
_PAUSE_S = 0.5
_WAIT_S = 60.0


async def beside_livekit(folder: Path, calls: int, burst: int, report: Report) -> None:
    """All of it, over a line of its own."""
    async with CalledPhone() as phone, outbound_line(folder, [trunk("out", phone.endpoint.port)]) as line:
        ours = await _one_by_one(line, phone, calls)
        direct = await _directly(line, phone, calls)
        a_second = await _sustained(line, phone, burst)
    report.figure("our api: request → INVITE", "ms", ours, target=1500)
    report.figure("our api: request → INVITE, 95th percentile", "ms", ours, target=3000, judged="p95")
    report.figure("LiveKit's api, no agent: request → INVITE", "ms", direct)
    report.figure("our api: calls a second, sustained", "calls/s", [a_second], target=1.0, at_least=True)


async def _rung(phone: CalledPhone, number: str) -> CalledLeg:
    await until(lambda: _leg(phone, number) is not None, _WAIT_S)
    leg = _leg(phone, number)
    assert leg is not None, "just seen"
    return leg


def _leg(phone: CalledPhone, number: str) -> CalledLeg | None:
    return next((leg for leg in phone.legs if leg.invite.request.uri.user == number), None)


async def _one_by_one(line: OutboundLine, phone: CalledPhone, calls: int) -> list[float]:
    took = []
    async with line.client() as client:
        for number in (f"{_AREA}{1000 + place}" for place in range(calls)):
            asked = phone.clock.now()
            call = await client.send("POST", "/v1/calls", {"to": number})
            leg = await _rung(phone, number)
            took.append(1000 * (leg.invited_at - asked))
            leg.refuse(486)
            await line.ended(call["id"])
            await asyncio.sleep(_PAUSE_S)
    return took


async def _directly(line: OutboundLine, phone: CalledPhone, calls: int) -> list[float]:
    took = []
    secret = Path(line.info.api_secret_file).read_text().strip()
    async with api.LiveKitAPI(line.info.livekit_url, line.info.api_key, secret) as livekit:
        for number in (f"{_AREA}{2000 + place}" for place in range(calls)):
            request = api.CreateSIPParticipantRequest(
                trunk=api.SIPOutboundConfig(hostname=phone.address),
                sip_call_to=number,
                sip_number=CALLER_ID,
                room_name=f"direct-{number}",
                participant_identity="phone",
            )
            asked = phone.clock.now()
            await livekit.sip.create_sip_participant(request)
            leg = await _rung(phone, number)
            took.append(1000 * (leg.invited_at - asked))
            leg.refuse(486)
            await asyncio.sleep(_PAUSE_S)
    return took


async def _sustained(line: OutboundLine, phone: CalledPhone, burst: int) -> float:
    """So many requests at once, each refused when it rings: how many rang in a second until the last did."""
    numbers = [f"{_AREA}{3000 + place}" for place in range(burst)]
    began = time.monotonic()

    async def one(number: str) -> float:
        call = await line.dial(number)
        (await _rung(phone, number)).refuse(486)
        rang = time.monotonic()
        await line.ended(call["id"])
        return rang

    rang = await asyncio.gather(*(one(number) for number in numbers))
    return burst / (max(rang) - began)
