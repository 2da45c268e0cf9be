"""What the libraries say that means nothing, and what they say about load.

A line of a library that is known to come with good calls is dropped; a line that says the machine is
too slow is kept, but as information, and counted. Both are known by their logger and by a pattern
that must match the whole line, so that anything new stays a warning for somebody to read.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class KnownLine:
    """One line of a library.

    Attributes:
        logger: the logger's name.
        pattern: matches the whole message.
        kind: ``noise`` is dropped, ``load`` is counted and kept as information.
        name: what it is counted as.
    """

    logger: str
    pattern: re.Pattern[str]
    kind: Literal["noise", "load"]
    name: str


def _line(logger: str, kind: Literal["noise", "load"], name: str, pattern: str) -> KnownLine:
    return KnownLine(logger, re.compile(pattern, re.DOTALL), kind, name)


KNOWN: Final = (
    # The peer connection goes down before its data channels are told.
    _line("livekit", "noise", "data_channel_closed", r".*data channel '_\w+' closed unexpectedly.*"),
    # Handles that Python has dropped before the native side asks for them.
    _line("livekit", "noise", "ffi_handle", r".*[Aa]ttempted to drop unknown FFI handle:? \d+.*"),
    # The caller left while the agent's track was still being negotiated.
    _line(
        "livekit",
        "noise",
        "left_while_joining",
        r"livekit::rtc_engine::rtc_session:\d+:livekit::rtc_engine::rtc_session - .*"
        r"Called in wrong state: closed.*",
    ),
    _line(
        "root",
        "noise",
        "left_while_joining",
        r"error running user callback for local_track_published: .*KeyError: 'TR_\w+'",
    ),
    # The room was closed at the server in the moment in which something was still being told to it.
    _line(
        "livekit",
        "noise",
        "signal_at_end",
        r"livekit_signaling:\d+:livekit_signaling - dropping pass-through signal — no stream available",
    ),
    # What a caller says after the goodbye reaches a session that is already closing.
    _line("livekit.agents", "noise", "input_at_end", r"skipping (user input|reply to user input), .*"),
    _line("livekit.agents", "noise", "input_at_end", r"skipping on_user_turn_completed, .*"),
    _line("livekit.agents", "load", "vad_slow", r"VAD inference is slower than realtime.*"),
    _line("livekit.agents", "load", "inference_slow", r"inference is slower than realtime.*"),
    _line("livekit.agents", "load", "event_loop_blocked", r"event loop blocked for .*"),
    _line("livekit.agents", "load", "process_unresponsive", r"process is unresponsive"),
    _line("livekit.agents", "load", "no_warm_process", r"no warmed process available for job, .*"),
)
"""Every line that is expected."""


class NoiseFilter(logging.Filter):
    """Drops noise and turns load warnings into information; ``counts`` says how often each came."""

    def __init__(self, known: tuple[KnownLine, ...] = KNOWN) -> None:
        super().__init__()
        self._known = known
        self.counts: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be printed."""
        if record.levelno < logging.WARNING:
            return True
        for known in self._known:
            if record.name == known.logger and known.pattern.fullmatch(record.getMessage()):
                self.counts[known.name] += 1
                if known.kind == "noise":
                    return False
                record.levelno, record.levelname = logging.INFO, "INFO"
                record.load_warning = known.name
                return True
        return True

    def of_kind(self, kind: Literal["noise", "load"]) -> dict[str, int]:
        """How often each line of a kind came."""
        names = {known.name for known in self._known if known.kind == kind}
        return {name: count for name, count in sorted(self.counts.items()) if name in names}
