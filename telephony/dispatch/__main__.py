"""``python -m telephony.dispatch --socket PATH``: the dispatcher as a process of its own.

livekit-server and its key come from LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET. Any signal to
stop ends it at once: calls that are up do not need it. Exit code 0, or 1 with one sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from telephony import logs
from telephony.dispatch.service import DispatchService
from telephony.errors import ConfigError, TrunklineError


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = DispatchService(
        url=_variable("LIVEKIT_URL"),
        api_key=_variable("LIVEKIT_API_KEY"),
        api_secret=_variable("LIVEKIT_API_SECRET"),
        socket_path=options.socket,
        port=options.port,
        expected=options.agent,
        max_calls=options.max_calls,
    )
    await service.start()
    try:
        if options.ready_file is not None:
            _write_ready(options.ready_file, service.port)
        await stop.wait()
    finally:
        await service.stop()
        if options.ready_file is not None:
            options.ready_file.unlink(missing_ok=True)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"{name} is not set.", field=name, fix="Set it in the environment.")
    return value


def _write_ready(path: Path, port: int) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps({"port": port, "pid": os.getpid()}) + "\n", encoding="utf-8")
    draft.replace(path)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m telephony.dispatch", description="Finds a worker for each call."
    )
    parser.add_argument("--socket", type=Path, required=True, help="where bridges ask")
    parser.add_argument("--port", type=int, default=0, help="where workers register; 0 = any free one")
    parser.add_argument("--agent", action="append", default=[], help="an agent that is expected here")
    parser.add_argument(
        "--max-calls", type=int, default=0, help="calls that each worker takes; 0 = not known"
    )
    parser.add_argument("--ready-file", type=Path, help="written when ready: {port, pid}")
    parser.add_argument("--log-level", default="info")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; returns the exit code."""
    options = _options(arguments)
    logs.configure(options.log_level)
    try:
        asyncio.run(_run(options))
    except TrunklineError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one sentence of a failed start
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
