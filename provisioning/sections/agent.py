"""``agent`` and ``assistants``: who answers, and what it says."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from provisioning.sections.section import Duration, Name, Section


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8") from None
    return value


Network = Annotated[str, AfterValidator(_network)]
"""A network such as ``10.0.0.0/8``, or one address."""


class AssistantsSection(Section):
    """Where the assistants' files are, and which one speaks when a rule names none."""

    directory: str | None = "assistants"
    """A folder of assistants' YAML files, looked in before the bundled ones. Default assistants."""
    default: Name = "reception"
    """The assistant of rules that name none. Default reception."""
    allowed_networks: list[Network] = Field(default_factory=list)
    """Private networks that assistants' HTTP tools may reach, such as 10.0.0.0/8. Default none: public
    addresses only."""


class AgentSection(Section):
    """The agent worker."""

    name: Name = "trunkline"
    """Agent name under which workers register and rules call for them. Default trunkline."""
    max_calls: int = Field(default=10, ge=1, le=1000)
    """Calls that one worker takes at once; the next is refused at once. Default 10."""
    audio_path: Literal["auto", "direct", "room"] = "auto"
    """How audio reaches the job: a local socket or the room. auto: direct where it can. Default auto."""
    idle_processes: int = Field(default=10, ge=0, le=100)
    """Job processes kept warm, 6 MB each: so many calls may come at one moment. Default 10."""
    drain_timeout: Duration = Field(default=3600.0, le=86400)
    """How long live calls may go on after SIGTERM. Default 1h."""
    max_call_duration: Duration = Field(default=3600.0, ge=10, le=86400)
    """A call is said goodbye to after this. Default 1h."""
    silence_timeout: Duration = Field(default=60.0, ge=5, le=3600)
    """A call in which nobody says anything is ended after this. Default 1m."""
