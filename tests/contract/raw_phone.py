"""A telephone without a SIP stack: what it sends is what a test writes, and nothing is answered by itself."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from typing import TYPE_CHECKING, Self

from tests.bridge.sip_text import offer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"
_ids = itertools.count(1)
_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")


class RawPhone:
    """A UDP socket with everything that came to it.

    Attributes:
        received: messages as they came, each with its time.
    """

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.call_id = f"raw-{next(_ids)}@{HOST}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    async def __aenter__(self) -> Self:
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._receive)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Where it is called, as a trunk has it."""
        return f"{HOST}:{self.port}"

    def _receive(self) -> None:
        now = asyncio.get_running_loop().time()
        self.received.append((now, self._socket.recv(65_535)))

    def send(self, message: bytes, port: int) -> None:
        """Send a datagram."""
        self._socket.sendto(message, (HOST, port))

    def request(
        self,
        method: str,
        number: str,
        port: int,
        *,
        without: Sequence[str] = (),
        to_tag: str = "",
        cseq: int = 1,
        tag: str = "raw",
        body: bytes = b"",
        more: Sequence[str] = (),
    ) -> None:
        """Send a request to the bridge; ``without`` leaves headers out, ``From-tag`` only the tag of From."""
        lines = {
            "Via": f"SIP/2.0/UDP {self.address};branch=z9hG4bK{next(_ids)}raw",
            "Max-Forwards": "70",
            "From": "<sip:+15550199@carrier.example>" + ("" if "From-tag" in without else f";tag={tag}"),
            "To": f"<sip:{number}@{HOST}>" + (f";tag={to_tag}" if to_tag else ""),
            "Call-ID": self.call_id,
            "CSeq": f"{cseq} {method}",
            "Contact": f"<sip:raw@{self.address}>",
            "Content-Type": "application/sdp",
            "Content-Length": str(len(body)),
        }
        head = [f"{method} sip:{number}@{HOST}:{port} SIP/2.0"]
        head += [f"{name}: {value}" for name, value in lines.items() if name not in without]
        self.send("\r\n".join([*head, *more, "", ""]).encode() + body, port)

    def invite(self, number: str, port: int, *, media_port: int = 4000, **options: object) -> None:
        """Send an INVITE with an offer."""
        body = offer("0 8 101", port=media_port, host=HOST)
        self.request("INVITE", number, port, body=body, **options)  # type: ignore[arg-type]

    def responses(self, status: int | None = None) -> list[bytes]:
        """All responses that came, or those of one status."""
        found = [(message, _STATUS.match(message)) for _, message in self.received]
        return [message for message, line in found if line and status in (None, int(line[1]))]

    @property
    def finals(self) -> list[tuple[int, str]]:
        """Status and CSeq of every final response that came."""
        found = [(int(_STATUS.match(one)[1]), header(one, "CSeq")) for one in self.responses()]  # type: ignore[index]
        return [(status, cseq) for status, cseq in found if status >= 200]

    def requests(self, method: str) -> list[bytes]:
        """All requests that came, of one method."""
        return [message for _, message in self.received if message.startswith(method.encode() + b" ")]

    async def response(self, status: int, timeout_s: float = 10.0) -> bytes:
        """Wait for the first response of a status."""
        await until(lambda: self.responses(status), timeout_s)
        return self.responses(status)[0]

    async def asked(self, method: str, timeout_s: float = 10.0) -> bytes:
        """Wait for the first request of a method."""
        await until(lambda: self.requests(method), timeout_s)
        return self.requests(method)[0]

    def answer(
        self, request: bytes, status: str, port: int, *, tag: str = "rawphone", more: Sequence[str] = ()
    ) -> None:
        """Answer a request of the bridge without a body."""
        kept = [
            line + (f";tag={tag}" if line.lower().startswith("to:") and b";tag=" not in line.encode() else "")
            for line in request.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
            if line.split(":")[0].lower() in ("via", "from", "to", "call-id", "cseq")
        ]
        contact = f"Contact: <sip:raw@{self.address}>"
        head = [f"SIP/2.0 {status}", *kept, contact, *more, "Content-Length: 0", "", ""]
        self.send("\r\n".join(head).encode(), port)


def header(message: bytes, name: str) -> str:
    """The first line of a header, empty where there is none."""
    for line in message.decode().split("\r\n\r\n")[0].split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name.lower():
            return value.strip()
    return ""
