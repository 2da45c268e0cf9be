"""The speech engine: one process that loads the offline models once and serves every call of a machine.

    python -m telephony.speech.engine --socket PATH [--ready-file FILE]

It is ready when the models of its languages have run once: only then does the socket exist, the ready file
is written and one line is logged. SIGTERM and SIGINT end it cleanly. Exit codes: 0 stopped, 1 could not start
or broke, with one sentence on standard error, 2 wrong usage.
"""

from __future__ import annotations

import os

# Both must stand before numpy and the models' libraries are loaded: their thread pools would spin on
# cores that the calls need, and no library may look for a model on the network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import asyncio
import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telephony import logs
from telephony.errors import TrunklineError
from telephony.speech.by_language import Recognisers, Voices
from telephony.speech.models import find_russian_whisper, find_whisper
from telephony.speech.program_voice import russian_voice
from telephony.speech.recogniser import WhisperRecogniser
from telephony.speech.server import SpeechServer
from telephony.speech.voice import HibariVoice

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logs.get_logger("telephony.speech.engine")


def recognisers(arguments: argparse.Namespace) -> Recognisers:
    """The recognisers of all languages, none loaded yet."""
    return Recognisers(
        "recogniser",
        {
            "en": lambda: WhisperRecogniser(find_whisper(arguments.whisper_folder, arguments.whisper_sha256)),
            "ru": lambda: WhisperRecogniser(
                find_russian_whisper(arguments.russian_folder, arguments.russian_sha256), "ru"
            ),
        },
    )


def voices(arguments: argparse.Namespace) -> Voices:
    """The voices of all languages, none loaded yet."""
    return Voices("voice", {"en": HibariVoice, "ru": lambda: russian_voice(arguments.russian_voice)})


def load(shelf: Recognisers | Voices, languages: Sequence[str]) -> None:
    """Load and warm the models of some languages."""
    for language in languages:
        shelf.load(language)


async def serve(arguments: argparse.Namespace) -> None:
    """Load the models, listen, and return when a signal says so."""
    started = time.perf_counter()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    recogniser, voice = recognisers(arguments), voices(arguments)
    languages = arguments.language or ["en"]
    await asyncio.gather(
        asyncio.to_thread(load, recogniser, languages), asyncio.to_thread(load, voice, languages)
    )
    server = SpeechServer(recogniser, voice)
    try:
        await server.start(arguments.socket)
        if arguments.ready_file is not None:
            _write_ready_file(arguments.ready_file, arguments.socket)
        log.info(
            "speech_engine_ready",
            socket=str(arguments.socket),
            recogniser=recogniser.name,
            voice=voice.name,
            start_ms=round((time.perf_counter() - started) * 1000),
            rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        )
        await stop.wait()
    finally:
        await server.close()
        voice.close()
        if arguments.ready_file is not None:
            arguments.ready_file.unlink(missing_ok=True)
    log.info("speech_engine_stopped")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the engine; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logs.configure(arguments.log_level)
    # A transcript may come some ms later; a packet of a call may not.
    os.nice(arguments.nice)
    try:
        asyncio.run(serve(arguments))
    except TrunklineError as error:
        sys.stderr.write(f"speech engine: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"speech engine: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m telephony.speech.engine",
        description="Load the offline speech models once and serve them over a Unix socket.",
    )
    parser.add_argument("--socket", type=Path, required=True, help="where to listen; made with mode 0600")
    parser.add_argument("--ready-file", type=Path, help="written as JSON once the models have run")
    parser.add_argument("--whisper-folder", help="a CTranslate2 Whisper model instead of the carried tiny.en")
    parser.add_argument("--whisper-sha256", help="what its model.bin must hash to")
    parser.add_argument("--russian-folder", help="a multilingual one for Russian instead of the carried base")
    parser.add_argument("--russian-sha256", help="what its model.bin must hash to")
    parser.add_argument(
        "--russian-voice", default="auto", choices=["auto", "festival", "espeak"], help="who speaks Russian"
    )
    parser.add_argument(
        "--language",
        action="append",
        choices=["en", "ru"],
        help="loaded at start, others when they are needed; may be repeated (default: en)",
    )
    parser.add_argument(
        "--nice", type=int, default=5, choices=range(20), metavar="0-19", help="how far it stands back"
    )
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser


def _write_ready_file(path: Path, socket: Path) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"socket": str(socket), "pid": os.getpid()}) + "\n")
    fresh.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
