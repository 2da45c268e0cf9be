"""Staying registered, in virtual time, at a registrar that does what registrars do."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from telephony.bridge import register_policy as policy
from telephony.bridge.register import Account, Registration, Registrations
from telephony.bridge.register_policy import State
from telephony.sip.uri import SipUri
from tests.bridge.registrar_double import LOGIN, PASSWORD, Registrar
from tests.sip.network import Network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.pure

US, CARRIER = "192.0.2.1", "192.0.2.9"


class Line:
    """One line and its registrar."""

    def __init__(self, *, algorithm: str = "MD5", **account: Any) -> None:
        self.network = Network()
        self.endpoint = self.network.endpoint(US)
        self.registrar = Registrar(self.network.endpoint(CARRIER), algorithm=algorithm)
        fields = {"password": PASSWORD, "expiry_s": 120, **account}
        self.account = Account("carrier", SipUri(None, CARRIER), LOGIN, **fields)
        self.registration = Registration(self.account, self.endpoint, self.network.clock)

    @property
    def now(self) -> float:
        return self.network.clock.now()

    def go_away(self, away: bool = True) -> None:
        """Let nothing reach the registrar any more, or everything again."""
        self.network.drop = lambda _message: away

    async def until_registered(self, limit_s: float) -> float:
        """How long it takes; at most so long."""
        begun = self.now
        while not self.registration.registered:
            assert self.now - begun < limit_s
            await self.network.run(0.5)
        return self.now - begun


@asynccontextmanager
async def a_line(**options: Any) -> AsyncIterator[Line]:
    """A line that registers; at the end it gives back what it has, and nothing is left."""
    line = Line(**options)
    line.registration.start()
    await line.network.run(1)
    try:
        yield line
    finally:
        closing = asyncio.create_task(line.registration.close())
        await line.network.run(3)
        await closing
        await line.network.run(33)
        await line.network.close()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_line_registers_and_gives_back(algorithm: str) -> None:
    """With the login as a text in Contact and address of record; un-registered at the end."""
    async with a_line(algorithm=algorithm) as line:
        assert line.registration.registered
        assert [one.status for one in line.registrar.asked] == [401, 200]
        assert line.registrar.bound == f"<sip:{LOGIN}@{US}:5060>"
        registrar = line.registrar
    assert registrar.bound == ""
    assert registrar.asked[-1].expires == "0"


async def test_it_is_refreshed_before_its_end() -> None:
    """At half a minute before, with the nonce that is known; the registrar's time counts, not ours."""
    async with a_line() as line:
        await line.network.run(400)
        times = [one.at for one in line.registrar.asked if one.status == 200]
        assert [round(after - before) for before, after in itertools.pairwise(times)] == [90] * 4
        line.registrar.granted = 60
        await line.network.run(150)
        times = [one.at for one in line.registrar.asked if one.status == 200][-3:]
        assert round(times[2] - times[1]) == 30
        assert line.registration.registered


async def test_a_longer_time_that_is_wanted_is_asked_for() -> None:
    """423 names the least; it is kept for the refreshes."""
    async with a_line() as line:
        line.registrar.min_expires = 300
        await line.network.run(100)
        assert line.registration.registered
        assert [one.status for one in line.registrar.asked][-2:] == [423, 200]
        assert line.registrar.asked[-1].expires == "300"


async def test_a_registrar_that_changes_its_nonces_is_answered() -> None:
    """Also where it does not say that the old one was only stale."""
    async with a_line() as line:
        line.registrar.restart()
        await line.network.run(95)
        assert line.registration.registered
        assert [one.status for one in line.registrar.asked][-2:] == [401, 200]


@pytest.mark.parametrize("outage_s", [30, 45, 60])
async def test_after_a_short_outage_it_is_back_within_five_seconds(outage_s: float) -> None:
    """A registrar that was restarted and forgot us; noticed by OPTIONS."""
    async with a_line() as line:
        line.go_away()
        line.registrar.restart()
        await line.network.run(outage_s)
        if outage_s > 40:
            assert line.registration.state is State.LOST
            assert line.registration.reason == "the registrar does not answer"
        line.go_away(False)
        await line.network.run(5.0)
        assert line.registration.registered
        assert line.registrar.bound


@pytest.mark.parametrize("phase_s", [0.0, 1.1, 2.3, 3.4, 4.6])
async def test_no_outage_longer_than_the_pause_between_options_goes_unnoticed(phase_s: float) -> None:
    """At whatever moment a registrar is away for 5.5 s and forgets us: 5 s after its return we are back."""
    async with a_line(expiry_s=3600) as line:
        await line.network.run(20 + phase_s)
        line.go_away()
        line.registrar.restart()
        await line.network.run(5.5)
        line.go_away(False)
        await line.network.run(5.0)
        assert line.registrar.bound
        assert line.registration.registered


async def test_an_outage_that_ends_while_options_are_repeated_is_noticed() -> None:
    """They are answered in the end, by a registrar that has forgotten us: one REGISTER follows."""
    async with a_line(expiry_s=600, keepalive_s=25.0) as line:
        await line.network.run(23)
        line.go_away()
        line.registrar.restart()
        await line.network.run(3)
        line.go_away(False)
        await line.network.run(5)
        assert line.registrar.bound
        asked = len(line.registrar.asked)
        await line.network.run(100)
        assert len(line.registrar.asked) == asked


@pytest.mark.parametrize("outage_s", [120, 300, 900])
async def test_after_a_long_outage_it_is_back_within_a_minute(outage_s: float) -> None:
    """And meanwhile it is asked ever more seldom."""
    async with a_line() as line:
        line.go_away()
        await line.network.run(outage_s)
        tries = [at for at in line.network.sent("REGISTER") if at > line.now - 60]
        assert len(tries) <= (12 if outage_s > 200 else 60)
        line.go_away(False)
        assert await line.until_registered(60.0) <= 60.0


async def test_a_wrong_password_is_tried_every_ten_minutes_only() -> None:
    """And it is said what is wrong."""
    async with a_line(password="wrong") as line:
        assert line.registration.state is State.REFUSED
        assert "password" in line.registration.reason
        await line.network.run(590)
        assert len(line.registrar.asked) == 2
        line.registrar.password = "wrong"
        await line.network.run(20)
        assert line.registration.registered


@pytest.mark.parametrize("status", [403, 404, 604])
async def test_a_refusal_for_good_is_not_repeated(status: int) -> None:
    """No sooner than after ten minutes."""
    async with a_line() as line:
        line.registrar.status = status
        await line.network.run(100)
        asked = len(line.registrar.asked)
        assert line.registration.state is State.REFUSED
        await line.network.run(500)
        assert len(line.registrar.asked) == asked


async def test_a_registrar_may_ask_for_patience() -> None:
    """Retry-After is kept to, up to ten minutes."""
    async with a_line() as line:
        line.registrar.status, line.registrar.headers = 503, [("Retry-After", "30")]
        await line.network.run(90)
        assert line.registration.state is State.LOST
        asked = len(line.registrar.asked)
        await line.network.run(25)
        assert len(line.registrar.asked) <= asked + 1
        line.registrar.status = 0
        assert await line.until_registered(31) <= 31


async def test_a_registrar_that_is_deaf_to_options_is_not_taken_for_lost() -> None:
    """After two OPTIONS without an answer, and REGISTER answered each time, only REGISTER counts."""
    async with a_line(expiry_s=600) as line:
        line.registrar.answers_options = False
        await line.network.run(400)
        assert line.registration.registered
        assert len([one for one in line.registrar.asked if one.status == 200]) == 3


async def test_the_path_is_kept_open() -> None:
    """OPTIONS go out at the pace that is set."""
    async with a_line(expiry_s=600, keepalive_s=25.0) as line:
        await line.network.run(105)
        assert line.registrar.options == 4


async def test_several_lines_are_told_apart() -> None:
    """One that is refused does not touch the other; health says which."""
    network = Network()
    registrar = Registrar(network.endpoint(CARRIER))
    endpoint = network.endpoint(US)
    accounts = [
        Account("good", SipUri(None, CARRIER), LOGIN, PASSWORD),
        Account("bad", SipUri(None, CARRIER), LOGIN, "wrong"),
    ]
    lines = Registrations(accounts, endpoint, network.clock)
    lines.start()
    await network.run(2)
    assert lines.states() == {"good": True, "bad": False}
    assert lines.trouble().startswith("bad is not registered: the registrar answers 401")
    assert "wrong" not in repr(accounts)
    closing = asyncio.create_task(lines.close())
    await network.run(40)
    await closing
    assert registrar.bound == ""
    await network.close()


def test_pauses_grow_to_less_than_a_minute() -> None:
    """Eager for the first minute."""
    assert policy.pause_after(3, 20) == policy.EAGER_PAUSE_S
    pauses = [policy.pause_after(tries, 100) for tries in range(14, 40)]
    assert pauses == sorted(pauses)
    assert max(pauses) + policy.ATTEMPT_S < 60
