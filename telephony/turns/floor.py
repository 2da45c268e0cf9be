"""What the interrupt handler drives and tells: the agent's voice, and whoever takes the caller's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock
    from telephony.turns.decision import Decision
    from telephony.turns.evidence import Evidence

_Item = TypeVar("_Item")


class Floor(Protocol):
    """What the handler drives."""

    def hold(self) -> None:
        """Be silent at the phone from now on, and keep everything."""

    def release(self) -> None:
        """Go on from the sample where ``hold`` stopped."""

    def interrupt(self) -> None:
        """End the agent's speech; ``InterruptHandler.interrupted`` follows when that is done."""


@dataclass(frozen=True, slots=True)
class Effects(Generic[_Item]):
    """Whom the handler tells.

    Attributes:
        pass_on: takes what the recogniser said, as a turn of the caller's.
        decided: told of each decision that is not to wait, with its evidence.
        patient: told that the caller has asked for so many seconds.
        keys: takes keys that were kept while something had to be heard.
    """

    pass_on: Callable[[_Item], None]
    decided: Callable[[Decision, Evidence], None] = lambda *_: None
    patient: Callable[[float], None] = lambda _: None
    keys: Callable[[str], None] = lambda _: None


class Pause:
    """Whether the agent's voice is held; asked twice for the same, the floor is told once."""

    def __init__(self, clock: Clock, floor: Floor) -> None:
        self._clock = clock
        self._floor = floor
        self._since: float | None = None

    @property
    def active(self) -> bool:
        """Whether it is held."""
        return self._since is not None

    @property
    def lasts_s(self) -> float:
        """For how long it has been held; 0 where it is not."""
        return 0.0 if self._since is None else self._clock.now() - self._since

    def begin(self) -> None:
        """Hold it."""
        if self._since is None:
            self._since = self._clock.now()
            self._floor.hold()

    def end(self) -> None:
        """Let it go on."""
        if self._since is not None:
            self._since = None
            self._floor.release()
