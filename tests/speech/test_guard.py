"""Who is asked first, and where a voice goes on that broke off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from telephony.clock import ManualClock
from telephony.speech.guard.rota import LONGEST_REST, Rota
from telephony.speech.guard.tts import SLOWEST, rest_of

if TYPE_CHECKING:
    from telephony.speech.guard.trouble import Trouble

pytestmark = pytest.mark.pure


@dataclass(eq=False)
class Cloud:
    provider: str
    model: str = "m"


@dataclass
class Stage:
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[Trouble] = field(default_factory=list)

    def rota(self, *names: str) -> Rota[Cloud]:
        rota = Rota("llm", [Cloud(name) for name in names], cooldown_s=10, now=self.clock.now)
        rota.tell = self.told.append
        return rota


def names(rota: Rota[Cloud]) -> list[str]:
    return [each.provider for each in rota.order()]


def test_one_that_failed_is_asked_last_until_it_has_rested() -> None:
    """The first choice serves again after its rest; whoever watches is told of both."""
    stage = Stage()
    rota = stage.rota("a", "b")
    first, second = rota.providers
    assert names(rota) == ["a", "b"]
    rota.bad(first, "late", "no token in time")
    rota.good(second)
    assert names(rota) == ["b", "a"]
    stage.clock.advance(10.1)
    assert names(rota) == ["a", "b"]
    rota.good(first)
    assert [(each.kind, each.provider) for each in stage.told] == [
        ("late", "a/m"),
        ("switched", "b/m"),
        ("returned", "a/m"),
    ]


def test_who_fails_again_and_again_rests_longer() -> None:
    """Twice as long each time, up to a limit; one that serves to its end begins anew."""
    stage = Stage()
    rota = stage.rota("a", "b")
    first = rota.first
    for rest_s in (10, 20, 40, 80, 80):
        rota.bad(first, "failed", "500")
        stage.clock.advance(rest_s - 0.1)
        assert rota.rests(first)
        stage.clock.advance(0.2)
        assert not rota.rests(first)
    assert LONGEST_REST == 8
    rota.good(first)
    rota.bad(first, "failed", "500")
    stage.clock.advance(10.1)
    assert not rota.rests(first)


def test_a_lone_one_is_asked_twice() -> None:
    """There is nobody else, resting or not."""
    rota = Stage().rota("a")
    rota.bad(rota.first, "failed", "500")
    assert names(rota) == ["a", "a"]
    assert rota.after(rota.first) is rota.first


TEXT = "We are open today. Come at nine. Bring your card."


@pytest.mark.parametrize(
    ("spoken_s", "rest"),
    [
        (0.0, TEXT),
        (1.0, TEXT),
        (19 / SLOWEST, "Come at nine. Bring your card."),
        (30 / SLOWEST, "Come at nine. Bring your card."),
        (33 / SLOWEST, "Bring your card."),
        (9.0, ""),
    ],
)
def test_a_voice_goes_on_where_a_sentence_begins(spoken_s: float, rest: str) -> None:
    """The sentence that broke off is said again, those before it are not."""
    assert rest_of(TEXT, spoken_s) == rest
