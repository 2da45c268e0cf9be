"""Callers on hold: the tune, the path behind it, and a hold asked for on a real livekit-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import api

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_SAMPLES, RATE
from telephony.audio.level import dbfs, rms
from telephony.audio.tones import sine
from telephony.audio.wav import write_wav
from telephony.bridge.hold_media import HoldMedia
from telephony.bridge.hold_music import HoldMusic
from telephony.bridge.room import CallerInRoom
from telephony.bridge.room_media import RoomMedia
from telephony.calls.job_attributes import HELD, HOLD, HOLD_MUSIC
from telephony.errors import ConfigError
from tests.bridge.line import TestLine
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.audio.frame import Samples
    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

MUSIC_HZ = 1500
"""Of the music in these tests: told apart from both voices."""


def test_the_tune_goes_round_without_a_seam() -> None:
    """Whole frames, no louder than a voice, never silent for long, no jump where it begins again."""
    music = HoldMusic.load()
    tune = music.samples
    assert len(tune) % FRAME_SAMPLES == 0
    assert len(tune) > 8 * RATE
    assert -30 < dbfs(tune) < -15
    seconds = tune[: len(tune) // RATE * RATE].reshape(-1, RATE)
    assert min(dbfs(second) for second in seconds) > -40
    around = np.concatenate([tune[-400:], tune[:400]]).astype(np.int32)
    assert np.max(np.abs(np.diff(around))) <= np.max(np.abs(np.diff(tune.astype(np.int32))))


def test_its_frames_follow_one_another_for_ever() -> None:
    """Frame n + 1 begins where frame n ends, also round the end."""
    music = HoldMusic.load()
    frames = len(music.samples) // FRAME_SAMPLES
    played = np.concatenate([music.frame(number) for number in range(frames + 2)])
    assert np.array_equal(played[: len(music.samples)], music.samples)
    assert np.array_equal(played[len(music.samples) :], music.samples[: 2 * FRAME_SAMPLES])


def test_a_file_of_the_operators_is_played_instead(tmp_path: Path) -> None:
    """Any rate; a file that is none, or empty, is refused with its key."""
    write_wav(tmp_path / "own.wav", [sine(440, 0.5, rate=16000)], 16000)
    own = HoldMusic.load(tmp_path / "own.wav")
    assert len(own.samples) == 0.5 * RATE
    assert abs(dominant_frequency(own.samples, RATE) - 440) < 5
    (tmp_path / "none.wav").write_text("no music")
    write_wav(tmp_path / "empty.wav", [np.zeros(0, np.int16)], RATE)
    for name in ("none.wav", "empty.wav", "missing.wav"):
        with pytest.raises(ConfigError) as caught:
            HoldMusic.load(tmp_path / name)
        assert caught.value.field == "hold_music"


def test_the_path_behind_is_fed_silence_and_emptied() -> None:
    """Nothing said meanwhile waits to be heard, and nothing of the caller's is passed on."""
    path = _Path()
    held = HoldMedia(path, HoldMusic.load())
    for number in range(3):
        held.feed(sine(700, 0.02))
        assert np.array_equal(held.take(), HoldMusic.load().frame(number))
    assert path.taken == 3
    assert not any(np.any(frame) for frame in path.fed)


class _Path(RoomMedia):
    def __init__(self) -> None:
        super().__init__(CallerInRoom())
        self.fed: list[Samples] = []
        self.taken = 0

    def feed(self, frame: Samples) -> None:
        self.fed.append(frame)

    def take(self) -> Samples:
        self.taken += 1
        return super().take()


async def test_the_agent_puts_a_caller_on_hold_and_takes_him_back(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """While it lasts the phone hears music alone and nobody hears the phone; then all is as before."""
    write_wav(tmp_path / "music.wav", [sine(MUSIC_HZ, 1.0)], RATE)
    settings = {"hold_music": str(tmp_path / "music.wav")}
    async with TestLine(redis, livekit, tmp_path, **settings) as line:
        await line.provision()
        async with line.person() as agent:
            await agent.speak(440)
            call = await phone.call(line.number, line.port, voice_hz=1000)
            assert (await call.final()).status == 200
            await until(lambda: abs(dominant_frequency(call.samples(0.3), RATE) - 440) < 20)
            await until(lambda: abs(dominant_frequency(agent.samples(0.3), RATE) - 1000) < 20)
            await _ask(line, agent.caller.identity, HOLD_MUSIC)
            await until(lambda: agent.caller.attributes.get(HELD) == HOLD_MUSIC)
            await until(lambda: abs(dominant_frequency(call.samples(0.3), RATE) - MUSIC_HZ) < 20)
            await until(lambda: rms(agent.samples(0.3)) < 20)
            await _ask(line, agent.caller.identity, "")
            await until(lambda: abs(dominant_frequency(call.samples(0.3), RATE) - 440) < 20)
            await until(lambda: abs(dominant_frequency(agent.samples(0.3), RATE) - 1000) < 20)
            assert not agent.caller.attributes.get(HELD)
            await call.bye()
        await line.ended()


async def _ask(line: TestLine, identity: str, hold: str) -> None:
    request = api.UpdateParticipantRequest(room=line.room_name, identity=identity, attributes={HOLD: hold})
    await line.api.room.update_participant(request)
