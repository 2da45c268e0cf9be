"""Run the api: ``python -m telephony.api [serve|migrate|openapi|schemas]``.

SIGTERM and SIGINT stop it cleanly: requests under way are answered, streams end, what was taken in is
on disk, and leases are given back. Exit codes: 0 clean, 1 with one sentence on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from telephony import logs
from telephony.api.settings import ApiSettings, read_settings
from telephony.errors import PortTakenError, TrunklineError
from telephony.heap import set_aside_what_stays, share_heaps
from telephony.store import schema
from telephony.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKLOG = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m telephony.api", description=__doc__)
    parser.add_argument(
        "command", nargs="?", default="serve", choices=["serve", "migrate", "openapi", "schemas"]
    )
    parser.add_argument("--config", type=Path, help="the operator's file; default: $TRUNKLINE_CONFIG")
    parser.add_argument("--no-migrate", action="store_true", help="refuse to start on older tables")
    parser.add_argument("--output", type=Path, help="where openapi and schemas write; default: docs")
    given = parser.parse_args(arguments)
    logs.configure(os.environ.get("TRUNKLINE_LOG_LEVEL", "INFO"))
    try:
        return _run(given)
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _run(given: argparse.Namespace) -> int:
    if given.command == "openapi":
        from telephony.api.published import write_openapi

        write_openapi(given.output or Path("docs/api"))
        return 0
    if given.command == "schemas":
        from telephony.api.published import write_schemas

        write_schemas(given.output or Path("docs/events"))
        return 0
    # Each connection to the database has a thread, and each thread would have a heap of its own.
    share_heaps()
    config = given.config or os.environ.get("TRUNKLINE_CONFIG")
    settings = read_settings(Path(config) if config else None)
    if given.command == "migrate" or not given.no_migrate:
        asyncio.run(_migrate(settings))
    if given.command == "migrate":
        return 0
    return asyncio.run(_serve(settings))


async def _migrate(settings: ApiSettings) -> None:
    database = Database(settings.database_url, statement_timeout_s=None)
    try:
        await schema.upgrade(database)
    finally:
        await database.close()


async def _serve(settings: ApiSettings) -> int:
    from telephony.api.server import serve

    set_aside_what_stays()
    with _listen(settings.host, settings.port) as listener:
        await serve(settings, listener)
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            field="TRUNKLINE_API_PORT",
            fix="Choose another port, or 0 for any free one.",
        ) from error
    listener.listen(_BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main())
