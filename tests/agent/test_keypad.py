import pytest

from telephony.agent.keypad import PAUSE_S, Keypad
from telephony.clock import ManualClock

pytestmark = pytest.mark.pure


class Desk:
    """Somebody who expects keys and takes them."""

    def __init__(self, expected: int) -> None:
        self.clock = ManualClock()
        self.inputs: list[str] = []
        self.keypad = Keypad(self.clock, lambda: expected, self.inputs.append)

    def press(self, keys: str) -> None:
        for key in keys:
            self.keypad.press(key)


def test_a_choice_is_one_key() -> None:
    """Where one key is expected each is an input at once."""
    desk = Desk(1)
    desk.press("10#")
    assert desk.inputs == ["1", "0", "#"]
    assert desk.clock.pending == 0


def test_as_many_keys_as_are_expected_make_one_input() -> None:
    """The last digit ends the input without waiting."""
    desk = Desk(4)
    desk.press("2079")
    assert desk.inputs == ["2079"]


def test_the_hash_key_ends_an_input_early() -> None:
    """It is no part of the input, and alone it is one."""
    desk = Desk(8)
    desk.press("207#")
    assert desk.inputs == ["207"]


def test_a_pause_ends_an_input() -> None:
    """Each key starts the pause anew."""
    desk = Desk(8)
    desk.press("2")
    desk.clock.advance(PAUSE_S - 0.1)
    desk.press("0")
    desk.clock.advance(PAUSE_S - 0.1)
    assert desk.inputs == []
    desk.clock.advance(0.2)
    assert desk.inputs == ["20"]


def test_a_closed_keypad_forgets() -> None:
    """After the call's end nothing is input any more."""
    desk = Desk(8)
    desk.press("2")
    desk.keypad.close()
    desk.clock.advance(60)
    assert desk.inputs == []


def test_a_question_may_have_its_own_end_and_patience() -> None:
    """A star in place of the hash key, and a longer pause, where the question says so."""
    clock = ManualClock()
    inputs: list[str] = []
    keypad = Keypad(clock, lambda: 16, inputs.append, lambda: ("*", 6.0))
    for key in "12*":
        keypad.press(key)
    keypad.press("3")
    clock.advance(5.9)
    assert inputs == ["12"]
    clock.advance(0.2)
    assert inputs == ["12", "3"]
