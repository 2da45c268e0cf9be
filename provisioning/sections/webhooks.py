"""``webhooks``: what LiveKit tells us, and what we tell the customer."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from provisioning.sections.section import Duration, Name, Section
from provisioning.sections.trunks import Address


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.username:
        raise ValueError("must be an URL such as https://example.com/hooks")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""http:// or https://, without a user in it."""


class WebhookEndpoint(Section):
    """One receiver of the customer's."""

    name: Name
    """Unique in the list."""
    url: HttpUrl
    """Where events are POSTed."""
    secret: SecretStr | None = None
    """Signing secret, whsec_… (Standard Webhooks)."""
    secret_file: str | None = None
    """A file that holds it, in place of secret."""
    events: list[Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_*]+)?$|^\*$")]] = Field(
        default_factory=lambda: ["*"]
    )
    """Event names or patterns such as call.*. Default all."""
    enabled: bool = True
    """Default true."""


class WebhooksSection(Section):
    """Hooks in and out.

    url with the path /webhooks/livekit or /livekit/webhook is LiveKit's own hook, to us; with any
    other path it is one more endpoint of the customer's.
    """

    enabled: bool = True
    """Default true."""
    url: HttpUrl | None = None
    """LiveKit's hook, or a customer's endpoint; see above."""
    secret: SecretStr | None = None
    """Signing secret of url, when that is a customer's. LiveKit signs with its API key."""
    secret_file: str | None = None
    """A file that holds it, in place of secret."""
    timeout: Duration = Field(default=5.0, ge=0.1, le=60)
    """Longest wait for a receiver's answer. Default 5s."""
    max_retries: int = Field(default=3, ge=0, le=50)
    """Tries after the first. Default 3."""
    retry_delay: Duration = Field(default=1.0, le=86400)
    """Pause before the first retry; grows. Default 1s."""
    allowed_networks: list[Address] = Field(default_factory=list)
    """Private networks in which receivers may be, such as 10.0.0.0/8. Default none: public addresses only."""
    endpoints: list[WebhookEndpoint] = Field(default_factory=list)
    """The customer's receivers."""

    @property
    def is_livekits_own(self) -> bool:
        """Whether url is the hook that livekit-server is to call, by its path."""
        return bool(self.url) and urlsplit(self.url or "").path.rstrip("/") in LIVEKIT_HOOK_PATHS


LIVEKIT_HOOK_PATHS = frozenset({"/webhooks/livekit", "/livekit/webhook"})
"""Both paths are served; the second is the usual one."""
