"""A carrier's line with a login, from one file: registered, called, and calling out."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from livekit import api

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import RATE
from telephony.audio.level import rms
from telephony.line.record import events_of
from tests.bridge.called_phone import CalledPhone
from tests.bridge.phone import HOST, Phone
from tests.bridge.registrar_double import LOGIN, PASSWORD, Registrar
from tests.e2e.sample import line_of, sample, sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.line.line import Line

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NUMBER, CALLEE = "+74951234567", "+74957654321"
AGENT_HZ = 800
SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 200},
    "llm": {"provider": "timed", "llm_ms": 50},
    "tts": {"provider": "timed", "tts_ms": 20, "duration_s": 0.8, "tone_hz": AGENT_HZ},
    "vad": {"provider": "bundled"},
}


@dataclass
class Subscriber:
    """A line, and the carrier at which it registers."""

    line: Line
    carrier: CalledPhone
    registrar: Registrar


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def subscriber(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subscriber]:
    """One file with one trunk, whose carrier is on this machine."""
    folder = tmp_path_factory.mktemp("subscriber")
    async with AsyncExitStack() as stack:
        carrier = await stack.enter_async_context(CalledPhone(username=LOGIN, password=PASSWORD))
        registrar = Registrar(carrier.endpoint)
        config = _config(folder, carrier.endpoint.port)
        line = await stack.enter_async_context(line_of(config, folder / "data"))
        yield Subscriber(line, carrier, registrar)


def _config(folder: Path, carrier_port: int) -> Path:
    trunk = {
        "name": "novofon",
        "carrier": "novofon-line",
        "platform": "v2",
        "numbers": [NUMBER],
        "auth_username": LOGIN,
        "auth_password": PASSWORD,
        "host": HOST,
        "port": carrier_port,
        "allowed_addresses": [f"{HOST}/32"],
    }
    routing = sample()["routing"]
    routing["inbound_rules"][0]["trunks"] = ["novofon"]
    return sample_file(folder / "livekit-sip.yaml", speech=SPEECH, sip_trunks=[trunk], routing=routing)


async def test_a_call_to_the_login_reaches_trunk_and_assistant(subscriber: Subscriber) -> None:
    """The bridge registers with digest; the carrier calls its Contact, the login in To; the agent talks."""
    registrar, line = subscriber.registrar, subscriber.line
    await until(lambda: registrar.bound)
    assert [one.status for one in registrar.asked][:2] == [401, 200]
    at = registrar.bound.strip("<>").rpartition(":")[2]
    async with Phone() as phone:
        call = await phone.call(LOGIN, int(at), caller="+79990001122")
        while (await call.final()).status == 503:
            # On a machine that is busy an agent may come too late; a person would call again.
            await asyncio.sleep(0.5)
            call = await phone.call(LOGIN, int(at), caller="+79990001122")
        await until(lambda: _hears(call.samples(0.3)))
        told = {event.type: event.data for event in events_of(line.data.events, call.invite.call_id)}
        assert told["call.ringing"]["to"] == NUMBER
        assert told["call.ringing"]["trunk_id"]
        assert told["agent.started"]["assistant"] == "reception"
        await call.bye()


async def test_a_call_out_authenticates_at_the_carrier(subscriber: Subscriber) -> None:
    """The stored trunk is challenged once and answers with the login, which stands in From as well."""
    info = subscriber.line.info()
    secret = (subscriber.line.data.root / info.api_secret_file).read_text().strip()
    async with api.LiveKitAPI(info.livekit_url, info.api_key, secret) as client:
        (trunk,) = (await client.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest())).items
        request = api.CreateSIPParticipantRequest(
            sip_trunk_id=trunk.sip_trunk_id,
            sip_call_to=CALLEE,
            room_name="out",
            participant_identity="callee",
            wait_until_answered=True,
        )
        dialling = asyncio.create_task(client.sip.create_sip_participant(request))
        leg = await subscriber.carrier.rung()
        assert subscriber.carrier.invites == 2
        assert leg.invite.request.uri.user == CALLEE
        assert leg.invite.request.from_.uri.user == LOGIN
        leg.ring()
        await leg.answer()
        assert (await dialling).participant_identity == "callee"
        await client.room.delete_room(api.DeleteRoomRequest(room="out"))
        await leg.hung_up()


def _hears(samples: Any) -> bool:
    return rms(samples) > 300 and abs(dominant_frequency(samples, RATE) - AGENT_HZ) < 25
