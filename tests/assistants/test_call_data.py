"""What a call brings along becomes words of the assistant, and nothing but words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.assistants.call_data import LONGEST, filled, word
from telephony.assistants.loader import load_assistant
from telephony.assistants.schema import ChoiceState

pytestmark = pytest.mark.pure

DELIVERY = load_assistant("delivery")


def test_texts_hold_what_the_call_brought() -> None:
    """Greeting, instructions and the flow's texts are filled."""
    call = filled(DELIVERY, {"shop": "Аптека", "order": 77, "day": "в среду"})
    assert "Аптека" in call.greeting
    assert "заказа 77" in call.greeting
    assert "{data" not in call.instructions
    asked = call.flow.states["asked"] if call.flow else None
    assert isinstance(asked, ChoiceState)
    assert asked.ask == "Сможете принять заказ в среду?"


def test_defaults_stand_for_what_is_missing_and_examples_only_in_trials() -> None:
    """A call says its default, a trial its example."""
    assert "служба доставки" in filled(DELIVERY).greeting
    assert "Книжный дом" in filled(DELIVERY, examples=True).greeting


def test_the_version_is_the_files() -> None:
    """Two customers' calls had the same assistant."""
    assert (
        filled(DELIVERY, {"order": "1"}).version
        == filled(DELIVERY, {"order": "2"}).version
        == DELIVERY.version
    )


def test_an_assistant_that_wants_nothing_is_left_alone() -> None:
    """No copy is made for most calls."""
    reception = load_assistant("reception")
    assert filled(reception, {"name": "x"}) is reception


@settings(deadline=None)
@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
def test_a_value_is_a_short_line_without_braces(value: object) -> None:
    """Nobody who asks for a call can write instructions or placeholders into it."""
    text = word(value)
    assert len(text) <= LONGEST
    assert text.isprintable()
    assert not set("{}") & set(text)


def test_a_value_that_looks_like_a_placeholder_stays_a_word() -> None:
    """It is not filled a second time."""
    assert "result.text" in filled(DELIVERY, {"order": "{result.text}"}).greeting
    assert "{" not in filled(DELIVERY, {"order": "{result.text}"}).greeting
