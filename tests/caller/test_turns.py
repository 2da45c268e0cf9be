"""Which utterance answers which action."""

from __future__ import annotations

import pytest

from telephony.caller.report import HeardUtterance, Turn
from telephony.caller.turns import complete_turns

pytestmark = pytest.mark.pure


def test_each_utterance_belongs_to_the_action_before_it() -> None:
    """The greeting stands alone, and several utterances are one answer."""
    turns = [Turn("greeting"), Turn("say", "book", 4.0, 5.0), Turn("press", "2", 12.0, 12.0)]
    heard = [
        HeardUtterance(0.5, 3.0, "Hello."),
        HeardUtterance(5.8, 7.0, "Which day?"),
        HeardUtterance(8.0, 9.0, "Any day."),
        HeardUtterance(12.3, 14.0, "We are open."),
    ]
    complete_turns(turns, heard)
    assert [turn.heard for turn in turns] == ["Hello.", "Which day? Any day.", "We are open."]
    assert [turn.reply_latency_ms for turn in turns] == [None, 800.0, 300.0]
    assert (turns[1].heard_start_s, turns[1].heard_end_s) == (5.8, 9.0)


def test_what_was_interrupted_stays_with_the_turn_before() -> None:
    """The interruption is answered by what came after it."""
    turns = [Turn("greeting"), Turn("say", "hours", 1.0, 2.0), Turn("interrupt", "stop", 5.0, 6.0)]
    heard = [HeardUtterance(3.0, 5.2, "We are open"), HeardUtterance(6.7, 8.0, "Goodbye.")]
    complete_turns(turns, heard)
    assert turns[1].heard == "We are open"
    assert turns[2].heard == "Goodbye."
    assert turns[2].reply_latency_ms == 700.0


def test_an_agent_that_does_not_wait_has_a_negative_latency() -> None:
    """It began while the caller was still speaking."""
    turns = [Turn("greeting"), Turn("say", "book", 1.0, 3.0)]
    complete_turns(turns, [HeardUtterance(2.8, 4.0, "Which day?")])
    assert turns[1].reply_latency_ms == -200.0


def test_a_turn_without_an_answer_has_no_latency() -> None:
    """Silence is not an answer, nor is what the next action was answered with."""
    turns = [Turn("greeting"), Turn("say", "a", 1.0, 2.0), Turn("say", "b", 5.0, 6.0)]
    complete_turns(turns, [HeardUtterance(6.5, 7.0, None)])
    assert [turn.reply_latency_ms for turn in turns] == [None, None, 500.0]
    assert [turn.heard for turn in turns] == ["", "", ""]
