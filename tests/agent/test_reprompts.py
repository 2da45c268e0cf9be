import pytest

from telephony.agent.reprompts import MAX_UNHEARD, Reprompts
from telephony.assistants.loader import load_assistant

pytestmark = pytest.mark.pure

RECEPTION = load_assistant("reception")


def test_silence_is_asked_about_then_ended() -> None:
    """Each prompt once with the open question, then the goodbye."""
    reprompts = Reprompts(RECEPTION, limit_s=60)
    said = [reprompts.silence(8.0, "Which day?") for _ in range(3)]
    assert [each.last for each in said] == [False, False, True]
    assert said[0].text == "Are you still there? Which day?"
    assert said[2].text == RECEPTION.silence.goodbye


def test_a_caller_who_speaks_again_is_given_all_patience_again() -> None:
    """Only silence in a row counts."""
    reprompts = Reprompts(RECEPTION, limit_s=60)
    reprompts.silence(8, "")
    reprompts.heard()
    assert reprompts.silence(8, "").text == "Are you still there?"


def test_the_operators_limit_ends_silence_early() -> None:
    """A limit shorter than all prompts is kept."""
    assert Reprompts(RECEPTION, limit_s=5).silence(8, "").last


def test_noise_without_words_is_asked_about_then_ended() -> None:
    """A television in the background does not hold the line for ever."""
    reprompts = Reprompts(RECEPTION, limit_s=60)
    said = [reprompts.unheard("Which day?") for _ in range(MAX_UNHEARD)]
    assert said[0].text == "Sorry, I did not catch that. Which day?"
    assert said[1].text.startswith("Sorry, I still did not understand.")
    assert [each.last for each in said].index(True) == MAX_UNHEARD - 1
