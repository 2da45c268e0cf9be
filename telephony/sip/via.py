"""The Via header, and where a response to it goes (RFC 3261 section 18.2, RFC 3581).

Pure. A response never goes to an address that only the sender's words name: ``received`` is
always written from the address that the request really came from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from telephony.errors import SipParseError
from telephony.sip.grammar import Params, format_params, number, parse_params, split_host_port
from telephony.sip.identifiers import MAGIC_COOKIE

Address = tuple[str, int]
"""An IPv4 address and a port."""

DEFAULT_PORT = 5060

_SENT_PROTOCOL = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(.*)\Z", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value: ``SIP/2.0/UDP host:port;branch=…;rport``; ``protocol`` is UDP, TCP, TLS, …"""

    protocol: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value; blanks round slashes and colons are allowed.

        Raises:
            SipParseError: it is not as RFC 3261 section 25.1 writes it, or not SIP/2.0.
        """
        match = _SENT_PROTOCOL.match(text.strip())
        if match is None:
            raise SipParseError(f"{text[:48]!r} is not a SIP/2.0 Via", field="Via")
        sent_by, _, params = match.group(2).partition(";")
        host, port = split_host_port(sent_by, field="Via")
        return cls(match.group(1).upper(), host, port, parse_params(params, field="Via"))

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.protocol} {self.host}{port}{format_params(self.params)}"

    @property
    def branch(self) -> str:
        """The branch parameter; empty when there is none."""
        return self.params.get("branch") or ""

    @property
    def is_rfc3261(self) -> bool:
        """Whether the branch identifies the transaction by itself (section 17.2.3)."""
        return self.branch.startswith(MAGIC_COOKIE) and len(self.branch) > len(MAGIC_COOKIE)

    @property
    def sent_by(self) -> tuple[str, int]:
        """Host in lower case and port, the default filled in."""
        return self.host.lower(), self.port or DEFAULT_PORT

    def stamped(self, source: Address) -> Via:
        """With ``received`` and, if the sender asked for it, ``rport`` as seen at this end."""
        params = {name: value for name, value in self.params.items() if name != "received"}
        if "rport" in params:
            params["rport"] = str(source[1])
        if "rport" in params or self.host != source[0]:
            params["received"] = source[0]
        return replace(self, params=params)

    def reply_address(self) -> Address:
        """Where a response goes over an unreliable transport; only meaningful for a stamped Via."""
        host = self.params.get("received") or self.host
        rport = self.params.get("rport")
        if rport:
            return host, number(rport, field="Via", maximum=65535)
        return host, self.port or DEFAULT_PORT
