"""Where one other process of this machine and user may connect, once or many times.

Guarantee: the socket lies in a folder that only its user may enter, has mode 0600, is left by whoever
belongs to another user before a byte is read, and its name goes when it is not needed any more: for a
call's socket that is the moment at which its job has come.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import struct
from typing import TYPE_CHECKING

from telephony.errors import LinkError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = get_logger(__name__)

_LONGEST_PATH = 107
"""Bytes of a Unix socket's path, without its end (unix(7))."""
_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 16
_NAME_BYTES = 9
_NAME = re.compile(r"^[A-Za-z0-9_-]{12}\.call\Z")


def new_name() -> str:
    """A name for a call's socket that nobody can guess; a plain file name."""
    return secrets.token_urlsafe(_NAME_BYTES) + ".call"


def is_name(text: str) -> bool:
    """Whether a text is such a name and so cannot lead out of its folder."""
    return bool(_NAME.match(text))


class Listener:
    """A listening SOCK_SEQPACKET socket.

    Args:
        path: where; an old socket there is replaced.
        on_connection: called with each connection of this user; it owns the socket from then on.
        once: whether the first connection is the only one.

    Raises:
        LinkError: the path is too long or cannot be used.
    """

    def __init__(
        self, path: Path, on_connection: Callable[[socket.socket], None], *, once: bool = False
    ) -> None:
        self.path = path
        self._on_connection = on_connection
        self._once = once
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = _bind(path)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def close(self) -> None:
        """Listen no more and remove the name; harmless when repeated."""
        listening, self._socket = self._socket, None
        if listening is None:
            return
        self._loop.remove_reader(listening.fileno())
        listening.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _accept(self) -> None:
        if self._socket is None:
            return
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            # Whoever wanted to come has gone again.
            log.debug("link_accept_failed", reason=error.strerror)
            return
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(raw)
        if user != os.getuid():
            log.error("link_stranger_refused", pid=pid, user=user)
            connection.close()
            return
        if self._once:
            self.close()
        self._on_connection(connection)


def connect(path: Path) -> socket.socket:
    """Connect to a listener; a Unix socket answers at once or not at all.

    Raises:
        LinkError: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.setblocking(False)
        connection.connect(str(path))
    except (OSError, ValueError) as error:
        connection.close()
        raise LinkError(f"{path.name} cannot be connected to: {error}.", retryable=True) from error
    return connection


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise LinkError(
            f"the path of a socket may have {_LONGEST_PATH} bytes, and {path} has more.",
            fix="Choose a shorter folder for sockets.",
        )
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise LinkError(f"{path} cannot be listened on: {error.strerror}.") from error
    return listening
