import asyncio

import pytest

from telephony.agent.hangup import ROOM_ATTEMPTS, HangUp
from telephony.errors import LiveKitError
from tests.waiting import limit

pytestmark = pytest.mark.pure


class Line:
    """A line that remembers what was done to it, in order."""

    def __init__(self, *, failures: int = 0, hangs: bool = False) -> None:
        self.done: list[str] = []
        self.handed_over_at = 0.0
        self.ended_at = 0.0
        self._failures = failures
        self._hangs = hangs

    async def end_room(self) -> None:
        self.done.append("room")
        if self._hangs:
            await asyncio.sleep(60)
        if self._failures:
            self._failures -= 1
            raise LiveKitError("unavailable")
        self.ended_at = asyncio.get_running_loop().time()

    def stop_listening(self) -> None:
        self.done.append("deaf")
        self.handed_over_at = asyncio.get_running_loop().time()


class Goodbye:
    """A speech that takes a while, for ever, or fails."""

    def __init__(self, line: Line, takes_s: float, *, fails: bool = False) -> None:
        self._line = line
        self._takes_s = takes_s
        self._fails = fails

    async def wait_for_playout(self) -> None:
        await asyncio.sleep(self._takes_s)
        if self._fails:
            raise RuntimeError("the voice is gone")
        self._line.done.append("spoken")


def hang_up(line: Line) -> HangUp:
    return HangUp(line.end_room, line.stop_listening, drain_s=0.05, speech_limit_s=0.1, room_limit_s=0.05)


async def test_the_room_ends_after_the_goodbye_and_its_way_to_the_telephone() -> None:
    """Speak, stop listening, drain, end: in this order, with the drain between the last two."""
    line = Line()
    report = await hang_up(line).run(Goodbye(line, 0.02))
    assert line.done == ["spoken", "deaf", "room"]
    assert line.ended_at - line.handed_over_at >= 0.045
    assert (report.spoken, report.ended) == (True, True)


@pytest.mark.parametrize(("takes_s", "fails"), [(60.0, False), (0.0, True)])
async def test_a_goodbye_that_never_ends_does_not_keep_the_line(takes_s: float, fails: bool) -> None:
    """A stuck or broken voice is given up, and the room ends all the same."""
    line = Line()
    report = await hang_up(line).run(Goodbye(line, takes_s, fails=fails))
    assert line.done == ["deaf", "room"]
    assert (report.spoken, report.ended) == (False, True)


async def test_without_a_goodbye_only_the_line_is_drained() -> None:
    """Nothing to wait for is nothing that failed."""
    line = Line()
    report = await hang_up(line).run()
    assert line.done == ["deaf", "room"]
    assert report.spoken


async def test_a_server_that_refuses_once_is_asked_again() -> None:
    """One failure does not leave a caller in a room."""
    line = Line(failures=1)
    assert await hang_up(line).close_room()
    assert line.done == ["room", "room"]


@pytest.mark.parametrize("line", [Line(failures=99), Line(hangs=True)], ids=["refuses", "hangs"])
async def test_a_server_that_is_gone_is_given_up(line: Line) -> None:
    """After the last attempt the protocol says that the end is not confirmed, and ends."""
    async with limit(5):
        report = await hang_up(line).run()
    assert line.done.count("room") == ROOM_ATTEMPTS
    assert not report.ended


async def test_cancelling_the_protocol_cancels_it() -> None:
    """A job that is told to end does not wait for a goodbye."""
    line = Line()
    task = asyncio.create_task(hang_up(line).run(Goodbye(line, 60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert line.done == []
