"""The trunks of the one file that calls go out through. Pure.

Numbers are dialled as the trunk's carrier wants them written: ``+74951234567`` or ``74951234567``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.dialer.request import spread

if TYPE_CHECKING:
    from provisioning.config import LineConfig


@dataclass(frozen=True, slots=True)
class Line:
    """One outbound trunk.

    Attributes:
        name: in the one file.
        numbers: ours, E.164: what the called phone may be shown.
        digits_only: whether the carrier wants numbers without their plus.
        max_calls: how many calls at once the carrier allows; None: not known.
    """

    name: str
    numbers: tuple[str, ...]
    digits_only: bool = False
    max_calls: int | None = None

    def dialled(self, number: str) -> str:
        """A number as the carrier wants it."""
        return number.removeprefix("+") if self.digits_only else number

    def caller_id(self, call_id: str) -> str:
        """One of our numbers, the same for the same call, spread evenly over the pool."""
        return spread(call_id, self.numbers)


def lines_of(config: LineConfig) -> dict[str, Line]:
    """Every outbound trunk of the file, by name, in its order."""
    from provisioning.carriers.fill import filled

    trunks = [filled(trunk) for trunk in config.sip_trunks]
    return {
        trunk.name: Line(trunk.name, tuple(trunk.numbers), trunk.dial_format == "digits", trunk.max_calls)
        for trunk in trunks
        if trunk.is_outbound and trunk.host and trunk.numbers
    }
