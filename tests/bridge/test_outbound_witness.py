"""sipp as an independent witness: its built-in callee answers calls of ours, by UDP and by TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api
from livekit.protocol import sip as lk_sip

from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.line import TestLine, until
from tests.sip.test_sipp import LOOPBACK, free_port, sipp_path

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


@pytest.mark.parametrize(
    ("transport", "option"), [(lk_sip.SIP_TRANSPORT_UDP, "u1"), (lk_sip.SIP_TRANSPORT_TCP, "t1")]
)
async def test_sipp_answers_and_is_hung_up(
    line: TestLine, tmp_path: Path, transport: int, option: str
) -> None:
    """INVITE, 180, 200, ACK, BYE, 200: sipp counts the call as successful."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sipp_path(),
        *("-sn", "uas", "-p", str(port), "-t", option, "-m", "1", "-i", LOOPBACK, "-mi", LOOPBACK),
        *("-nostdin", "-timeout", "30"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: _listens(port, option))
        info = await dial(line, f"{LOOPBACK}:{port}", trunk_transport=transport)
        assert info.participant_identity == IDENTITY
        participant = api.RoomParticipantIdentity(room=line.room_name, identity=IDENTITY)
        await line.api.room.remove_participant(participant)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (await line.ended())["data"]["reason"] == "caller_removed"


def _listens(port: int, option: str) -> bool:
    """Whether the port is in use by now, as the kernel says."""
    table = "udp" if option.startswith("u") else "tcp"
    with open(f"/proc/net/{table}", encoding="ascii") as lines:
        return any(f":{port:04X} " in line for line in lines)
