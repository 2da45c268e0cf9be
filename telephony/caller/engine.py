"""A speech engine for one command: one that is running already, or a private one while it lasts."""

from __future__ import annotations

import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from telephony.speech.client import SpeechClient
from telephony.supervision.part import Part, PartSpec
from telephony.supervision.ready import file_written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START_S = 60.0
"""The models are read from disk; a cold, busy machine takes its time."""


@asynccontextmanager
async def speech_engine(socket: Path | None) -> AsyncIterator[SpeechClient]:
    """A connection to the engine on ``socket``, or to a new one that is stopped afterwards.

    Raises:
        SpeechError: nobody answers on the socket.
        StartError: no engine could be started; the message has what it said.
    """
    if socket is not None:
        async with await SpeechClient.connect(socket) as client:
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="trunkline-speech-") as folder:
        # A Unix socket's path is limited to about 100 bytes, so it lies in the system's temporary folder.
        own, ready = Path(folder) / "speech.sock", Path(folder) / "ready.json"
        engine = Part(
            PartSpec(
                name="speech engine",
                argv=[
                    sys.executable,
                    *("-m", "telephony.speech.engine"),
                    *("--socket", str(own), "--ready-file", str(ready), "--log-level", "WARNING"),
                ],
                log_path=Path(folder) / "engine.log",
                ready=file_written(ready),
                ready_timeout_s=_START_S,
            )
        )
        await engine.start()
        try:
            async with await SpeechClient.connect(own) as client:
                yield client
        finally:
            await engine.stop()
