import logging

import pytest

from telephony.agent.noise import NoiseFilter
from telephony.agent.privacy import PrivacyFilter

pytestmark = pytest.mark.pure


def record(logger: str, message: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(logger, level, __file__, 1, message, None, None)


@pytest.mark.parametrize(
    ("logger", "message"),
    [
        (
            "livekit",
            "livekit::rtc_engine::rtc_session:704:livekit::rtc_engine::rtc_session - publisher data channel "
            "'_reliable' closed unexpectedly",
        ),
        ("livekit", "livekit_ffi::server:1:livekit_ffi::server - Attempted to drop unknown FFI handle: 12"),
        (
            "root",
            "error running user callback for local_track_published: room_handle: 5\nTraceback (most recent "
            "call last):\n  File \"room.py\", line 783\nKeyError: 'TR_AMqFHymmVrpVRV'",
        ),
        (
            "livekit",
            "livekit::rtc_engine::rtc_session:12:livekit::rtc_engine::rtc_session - failed to negotiate: "
            'Rtc(RtcError { message: "Failed to set local offer sdp: Called in wrong state: closed" })',
        ),
        ("livekit.agents", "skipping user input, speech scheduling is paused"),
        ("livekit.agents", "skipping reply to user input, current speech generation cannot be interrupted"),
    ],
)
def test_what_good_calls_say_is_dropped_and_counted(logger: str, message: str) -> None:
    """Lines that are known to mean nothing do not reach the log."""
    noise = NoiseFilter()
    assert not noise.filter(record(logger, message))
    assert sum(noise.of_kind("noise").values()) == 1


@pytest.mark.parametrize(
    ("logger", "message"),
    [
        ("livekit.agents", "something new went wrong"),
        ("livekit.agents", "first line\nskipping user input, speech scheduling is paused"),
        ("telephony.agent.call", "skipping user input, speech scheduling is paused"),
        ("livekit", "skipping user input, speech scheduling is paused"),
    ],
)
def test_anything_else_stays_a_warning(logger: str, message: str) -> None:
    """A line is known by its logger and its whole text, so nothing hides behind a part of it."""
    noise = NoiseFilter()
    line = record(logger, message)
    assert noise.filter(line)
    assert line.levelno == logging.WARNING
    assert not noise.counts


@pytest.mark.parametrize(
    "message",
    [
        "VAD inference is slower than realtime",
        'event loop blocked for 146ms at "x.py", line 2, in f; synchronous work on the agent loop',
        "no warmed process available for job, waiting for one to be created",
        "process is unresponsive",
    ],
)
def test_load_is_told_but_is_no_warning(message: str) -> None:
    """A slow machine is counted and printed as information."""
    noise = NoiseFilter()
    line = record("livekit.agents", message)
    assert noise.filter(line)
    assert line.levelno == logging.INFO
    assert sum(noise.of_kind("load").values()) == 1
    assert noise.of_kind("noise") == {}


def test_information_is_never_touched() -> None:
    """Only warnings and worse are looked at."""
    noise = NoiseFilter()
    assert noise.filter(record("livekit.agents", "skipping user input, x", logging.INFO))
    assert not noise.counts


def test_neither_words_nor_numbers_reach_the_log() -> None:
    """Transcripts are taken out, and a room's or caller's number is masked wherever it stands."""
    room = "call_+15550100199_ab12"
    line = record("livekit", f'Disconnected from room "{room}"')
    line.__dict__.update({"lk.pii.user_input": "I am Anna", "room": room, "room_id": "RM_12345678"})
    assert PrivacyFilter().filter(line)
    assert "lk.pii.user_input" not in line.__dict__
    assert "5550100" not in line.getMessage()
    assert "5550100" not in line.__dict__["room"]
    assert line.__dict__["room_id"] == "RM_12345678"
