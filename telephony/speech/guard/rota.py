"""Who is asked first: the providers of one stage in the operator's order, less those that rest. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from livekit.agents import APIConnectionError, APIError

from telephony.logs import get_logger
from telephony.speech.guard.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telephony.speech.guard.trouble import Stage, Tell, TroubleKind

log = get_logger(__name__)

LONGEST_REST = 8.0
"""A provider that fails again each time it is asked rests at most so many times longer."""


class Provider(Protocol):
    """What is asked: an STT, LLM or TTS of livekit-agents."""

    @property
    def model(self) -> str: ...

    @property
    def provider(self) -> str: ...


_P = TypeVar("_P", bound=Provider)


@dataclass(slots=True)
class _Standing:
    rests_until: float = float("-inf")
    rest_s: float = 0.0


class Rota(Generic[_P]):
    """The providers of one stage of one call.

    Args:
        stage: which.
        providers: the first is the operator's choice; the others stand in for it.
        cooldown_s: rest of one that has failed; longer each time, up to eight times.
        now: a monotonic clock, in s.
    """

    def __init__(
        self, stage: Stage, providers: Sequence[_P], *, cooldown_s: float, now: Callable[[], float]
    ) -> None:
        if not providers:
            raise ValueError("a stage needs a provider")
        self.stage = stage
        self.providers = list(providers)
        self.tell: Tell = lambda _: None
        self._cooldown_s = cooldown_s
        self._now = now
        self._standing = [_Standing() for _ in self.providers]
        self._serving = self.providers[0]

    @property
    def first(self) -> _P:
        """The operator's choice."""
        return self.providers[0]

    @property
    def serving(self) -> _P:
        """Who served last."""
        return self._serving

    def order(self) -> list[_P]:
        """Whom to ask for one turn, in order: those that rest come last, and a lone one is asked twice."""
        awake = [each for each in self.providers if not self.rests(each)]
        asleep = [each for each in self.providers if self.rests(each)]
        asked = awake + asleep
        return asked * 2 if len(asked) == 1 else asked

    def after(self, provider: _P) -> _P:
        """Who takes over from a provider; itself where there is nobody else."""
        others = [each for each in self.order() if each is not provider]
        return others[0] if others else provider

    def rests(self, provider: _P) -> bool:
        """Whether it has failed a short while ago."""
        return self._now() < self._standing[self._place(provider)].rests_until

    def bad(self, provider: _P, kind: TroubleKind, reason: str) -> None:
        """It failed, or kept somebody waiting: it rests."""
        standing = self._standing[self._place(provider)]
        longest_s = LONGEST_REST * self._cooldown_s
        standing.rest_s = min(longest_s, 2 * standing.rest_s) if standing.rest_s else self._cooldown_s
        standing.rests_until = self._now() + standing.rest_s
        self.report(kind, provider, reason)

    def serves(self, provider: _P) -> None:
        """Its first word, or sound, is there."""
        if provider is not self._serving:
            self._serving = provider
            self.report("returned" if provider is self.first else "switched", provider)

    def good(self, provider: _P) -> None:
        """It served to the end."""
        self.serves(provider)
        standing = self._standing[self._place(provider)]
        standing.rest_s, standing.rests_until = 0.0, float("-inf")

    def report(self, kind: TroubleKind, provider: _P, reason: str = "") -> None:
        """Write it to the log, and tell whoever wants to know."""
        name = name_of(provider)
        log.warning("provider_trouble", stage=self.stage, kind=kind, provider=name, reason=reason)
        self.tell(Trouble(self.stage, kind, name, reason))

    def _place(self, provider: _P) -> int:
        return next(at for at, each in enumerate(self.providers) if each is provider)


def name_of(provider: Any) -> str:
    """Provider and model, such as ``deepgram/nova-3``."""
    return f"{provider.provider}/{provider.model}"


def is_final(error: BaseException | None) -> bool:
    """Whether the same provider would say the same again, such as that a key is wrong."""
    return isinstance(error, APIError) and not error.retryable


def error_of(last: BaseException | None, otherwise: str) -> APIError:
    """What to raise when nobody could serve: the last provider's own error, where it told one."""
    if isinstance(last, APIError):
        return last
    return APIConnectionError(otherwise, retryable=False)


def reason_of(error: BaseException) -> str:
    """An error in a few words."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
