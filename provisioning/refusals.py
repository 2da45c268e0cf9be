"""What apply refuses to do although the file is well formed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.carriers.fill import filled
from provisioning.exposure import is_open_to_the_world
from provisioning.reading.problem import Problem
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from provisioning.config import LineConfig
    from provisioning.plan import Plan


class RefusedError(ConfigError):
    """The file asks for what is unsafe, or for what somebody else has; nothing was written."""

    def __init__(self, problems: list[Problem]) -> None:
        lines = [f"nothing was applied: {len(problems)} in the way"] + [f"  {p}" for p in problems]
        super().__init__("\n".join(lines))
        self.problems = problems


def refuse_unsafe(config: LineConfig, plan: Plan) -> None:
    """Insist that nobody's trunk is opened to the world by accident and that no claim is somebody else's.

    Raises:
        RefusedError: with every reason.
    """
    problems = refusals_of(config, plan)
    if problems:
        raise RefusedError(problems)


def refusals_of(config: LineConfig, plan: Plan) -> list[Problem]:
    """Everything for which apply would refuse."""
    clashes = [Problem(clash.path, clash.message, fix=clash.fix) for clash in plan.clashes]
    return open_trunks(config) + clashes


def open_trunks(config: LineConfig) -> list[Problem]:
    """Trunks that would take calls from anybody, and do not say that this is meant."""
    return [
        Problem(
            ("sip_trunks", n),
            f"anybody in the world could call in through trunk {trunk.name!r}.",
            fix="Give the carrier's ranges in allowed_addresses, or auth_username and auth_password, "
            "or write open_to_the_world: true beside it.",
        )
        for n, trunk in enumerate(config.sip_trunks)
        if is_open_to_the_world(filled(trunk)) and not trunk.open_to_the_world
    ]
