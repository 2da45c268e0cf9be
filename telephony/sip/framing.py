"""Messages out of a byte stream, by Content-Length (RFC 3261 section 18.3), and keep-alives (RFC 5626).

Pure. Guarantee: holds no more than one message of the largest size; a stream that cannot be framed
any more fails once and for all, since where its next message begins is not known.
"""

from __future__ import annotations

import re

from telephony.errors import SipParseError
from telephony.sip.message import MAX_MESSAGE

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(
    rb"^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,7})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_PING = b"\r\n\r\n"


class StreamFramer:
    """Cuts one connection's bytes into messages.

    Attributes:
        pings: double CRLFs between messages since the last ``take_pings``.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._blank = 0
        self.pings = 0

    @property
    def partial(self) -> bool:
        """Whether the beginning of a message waits for its rest."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; the messages that are complete now, in order.

        Raises:
            SipParseError: the head is too long, or has not exactly one readable Content-Length.
        """
        self._buffer += data
        messages: list[bytes] = []
        while True:
            self._skip_blank_lines()
            message = self._next()
            if message is None:
                return messages
            messages.append(message)

    def take_pings(self) -> int:
        """How many keep-alives came since the last call."""
        pings, self.pings = self.pings, 0
        return pings

    def _skip_blank_lines(self) -> None:
        blank = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if blank:
            self._blank += blank
            del self._buffer[:blank]
            self._searched = 0
        # A ping may arrive in pieces, so blank bytes are counted over several reads.
        self.pings += self._blank // len(_PING)
        self._blank = 0 if self._buffer else self._blank % len(_PING)

    def _next(self) -> bytes | None:
        end = _END_OF_HEAD.search(self._buffer, max(0, self._searched - 3))
        if end is None:
            self._searched = len(self._buffer)
            if self._searched > MAX_MESSAGE:
                raise SipParseError("the headers have no end", status=513)
            return None
        lengths = _LENGTH.findall(self._buffer, 0, end.start() + 1)
        if len(lengths) != 1:
            raise SipParseError("a message in a stream needs one", field="Content-Length")
        total = end.end() + int(lengths[0])
        if total > MAX_MESSAGE:
            raise SipParseError(f"{total} bytes, at most {MAX_MESSAGE} are read", status=513)
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        del self._buffer[:total]
        self._searched = 0
        return message
