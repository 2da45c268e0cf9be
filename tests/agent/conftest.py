"""Real servers, the real speech engine, and workers as operators start them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.speech.client import SpeechClient
from tests.agent.worker_process import WorkerProcess
from tests.bridge.servers import Server, livekit_server, redis_server
from tests.speech.conftest import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

OFFLINE = "agent: {name: offline-desk}\n"
"""The line's defaults: Whisper, the assistant's flow, hibari."""

TIMED = """\
agent: {name: NAME, idle_processes: 1}
assistants: {directory: ASSISTANTS}
speech:
  stt: {provider: timed, stt_final_ms: 200, text: "Goodbye."}
  llm: {provider: offline}
  tts: {provider: timed, tts_ms: 20, duration_s: 3}
"""
"""Known delays; the recogniser understands "Goodbye." whatever is said, the voice is a tone."""

IMPATIENT = """\
name: impatient
greeting: Hello.
silence: {after_s: 2, prompts: ["Are you there?"], goodbye: "Goodbye."}
not_understood: ["Sorry?"]
time_is_up: Time is up.
tools: [end_call]
flow:
  start: menu
  give_up: bye
  intents: [{phrases: [goodbye], goto: bye}]
  states:
    menu: {kind: choice, ask: What now?, choices: [{phrases: [nothing], goto: bye}]}
    bye: {kind: end, say: Goodbye.}
"""


@pytest.fixture(scope="session")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """livekit-server with its Redis."""
    folder = tmp_path_factory.mktemp("servers")
    redis = redis_server(folder)
    redis.start()
    server = livekit_server(folder, redis.port)
    server.start()
    yield server
    server.stop()
    redis.stop()


@pytest.fixture(scope="session")
def url(livekit: Server) -> str:
    """Where livekit-server listens."""
    return f"ws://127.0.0.1:{livekit.port}"


@pytest.fixture(scope="session")
def engine() -> Iterator[Path]:
    """The socket of a running speech engine."""
    with running_engine() as socket:
        yield socket


@pytest.fixture(scope="session")
def clip(engine: Path) -> NDArray[np.int16]:
    """A sentence as a telephone sends it."""

    async def speak() -> NDArray[np.int16]:
        async with await SpeechClient.connect(engine) as client:
            parts = client.synthesize("I would like to ask something.")
            return np.concatenate([part async for part in parts])

    return asyncio.run(speak())


@pytest.fixture(scope="session")
def offline_worker(
    url: str, engine: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    """A worker with the line's default speech."""
    worker = WorkerProcess(tmp_path_factory.mktemp("offline"), url, OFFLINE, speech_socket=engine)
    worker.start()
    yield worker
    worker.stop()


def timed_worker_in(folder: Path, url: str, name: str, *, max_calls: int = 3) -> WorkerProcess:
    """A worker with known delays under a name of its own; not started."""
    assistants = folder / "assistants"
    assistants.mkdir(exist_ok=True)
    (assistants / "impatient.yaml").write_text(IMPATIENT)
    config = TIMED.replace("NAME", name).replace("ASSISTANTS", str(assistants))
    return WorkerProcess(folder, url, config, max_calls=max_calls)


@pytest.fixture(scope="session")
def timed_worker(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker with known delays that takes three calls."""
    worker = timed_worker_in(tmp_path_factory.mktemp("timed"), url, "timed-desk")
    worker.start()
    yield worker
    worker.stop()
