"""``livekit`` and ``redis``: the server that keeps trunks and rules, and its bus to the bridge."""

from __future__ import annotations

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from provisioning.sections.section import Duration, Section


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback."""
    if host in {"localhost", "ip6-localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _server_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"ws", "wss", "http", "https"} or parts.username or parts.query:
        raise ValueError("must be an URL such as wss://livekit.example.com, without user or query")
    if parts.scheme in {"ws", "http"} and not is_loopback(host):
        raise ValueError("must be wss:// outside loopback: the key and every call would travel in clear")
    return value


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or any(c in value for c in "/@ "):
        raise ValueError("must be host:port, such as 127.0.0.1:6379")
    return value


ServerUrl = Annotated[str, AfterValidator(_server_url)]
"""ws(s):// or http(s)://; without encryption on loopback only."""


class LiveKitSection(Section):
    """Where livekit-server is, and the key to it."""

    url: ServerUrl = "ws://127.0.0.1:7880"
    """livekit-server's URL. wss:// everywhere except on loopback."""
    api_key: str | None = Field(default=None, pattern=r"^[!-9;-~]{1,128}$")
    """API key, one of the server's keys. Needed by whatever talks to the server."""
    api_secret: SecretStr | None = None
    """The key's secret, 32 characters or more."""
    api_secret_file: str | None = None
    """A file that holds the secret, in place of api_secret."""
    connection_timeout: Duration = 30.0
    """Longest wait for one answer of the server. Default 30s."""
    keep_alive: Duration = 25.0
    """How often an idle connection is kept alive. Default 25s."""
    auto_reconnect: bool = True
    """Whether a lost connection is made again. Default true."""
    max_reconnect_attempts: int = Field(default=10, ge=0, le=1000)
    """How often that is tried before giving up. Default 10."""
    reconnect_delay: Duration = 1.0
    """First pause between tries; doubles each time. Default 1s."""


class RedisSection(Section):
    """The Redis that livekit-server and the bridge share; trunks and rules live in it."""

    address: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:6379"
    """host:port. The server and the bridge must use the same one, and the same db."""
    username: str | None = None
    """Redis user, if it has access control."""
    password: SecretStr | None = None
    """Redis password."""
    password_file: str | None = None
    """A file that holds the password, in place of password."""
    db: int = Field(default=0, ge=0, le=1024)
    """Logical database. Default 0."""
    use_tls: bool = False
    """Whether the connection is encrypted. Default false."""
    timeout: Duration = 5.0
    """Longest wait for an answer. Default 5s."""
