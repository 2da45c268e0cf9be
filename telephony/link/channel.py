"""One end of a Unix SOCK_SEQPACKET connection on the event loop: messages in order, and the end at once.

Guarantees: ``send`` never blocks; what the kernel does not take waits, up to a limit, behind which the
other end counts as stuck; the end is told exactly once, with its reason, whoever made it. A reader that
fails ends the connection rather than the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING

from telephony.errors import LinkError
from telephony.link.messages import MAX_MESSAGE
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

log = get_logger(__name__)

GONE = "gone"
"""The other end has closed, or its process has died."""
STUCK = "stuck"
"""The other end does not read."""
CONFUSED = "confused"
"""What came cannot be understood."""
CLOSED = "closed"
"""This end has closed."""

_READS_AT_ONCE = 64
_FINISH_S = 1.0


class Channel:
    """One connected socket, owned from now on.

    Args:
        sock: of type SOCK_SEQPACKET.
        on_message: called with each message; a LinkError from it ends the connection as ``CONFUSED``.
        on_close: called once with the reason.
        limit: bytes that may wait for an end that does not read.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[bytes], None],
        on_close: Callable[[str], None],
        *,
        limit: int,
    ) -> None:
        self._socket = sock
        self._on_message = on_message
        self._on_close = on_close
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._open = True
        self._finishing: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._read)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._open and self._finishing is None

    def send(self, data: bytes) -> None:
        """Send one message, now or as soon as there is room; nothing once the connection has ended."""
        if not self.is_open:
            return
        if self._waiting:
            self._queue(data)
            return
        try:
            self._socket.send(data)
        except BlockingIOError:
            self._loop.add_writer(self._socket.fileno(), self._write)
            self._queue(data)
        except OSError:
            self._end(GONE)

    def finish(self) -> None:
        """End after what was sent last has been read, or a second later; nothing comes in any more.

        Closing at once would reset the connection when something unread lies here, and what was sent
        last would be lost with it.
        """
        if not self.is_open:
            return
        self._finishing = self._loop.call_later(_FINISH_S, self._end, CLOSED)
        if not self._waiting:
            self._shut()

    def close(self) -> None:
        """End now; harmless when repeated."""
        self._end(CLOSED)

    def _queue(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > self._limit:
            self._end(STUCK)

    def _write(self) -> None:
        try:
            while self._waiting:
                self._socket.send(self._waiting[0])
                self._waiting_bytes -= len(self._waiting.popleft())
        except BlockingIOError:
            return
        except OSError:
            self._end(GONE)
            return
        self._loop.remove_writer(self._socket.fileno())
        if self._finishing is not None:
            self._shut()

    def _shut(self) -> None:
        # Where the other end was quicker, the reader is told of its end.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        # Not for ever: the tick of other calls waits for this.
        for _ in range(_READS_AT_ONCE):
            try:
                data = self._socket.recv(MAX_MESSAGE + 64)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._end(CLOSED if self._finishing is not None else GONE)
                return
            if self._finishing is None:
                self._deliver(data)
            if not self._open:
                return

    def _deliver(self, data: bytes) -> None:
        try:
            self._on_message(data)
        except LinkError as error:
            log.error("link_message_refused", reason=str(error))
            self._end(CONFUSED)
        except Exception:
            log.exception("link_message_failed")
            self._end(CONFUSED)

    def _end(self, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        if self._finishing is not None:
            self._finishing.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._waiting.clear()
        self._on_close(reason)
