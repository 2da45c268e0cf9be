from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.assistants.call_data import filled
from telephony.assistants.flow import END_TOOL, Flow
from telephony.assistants.loader import load_assistant
from telephony.assistants.schema import Assistant
from telephony.assistants.turns import FlowState, Pressed, Said, Step, ToolDone, Turn

pytestmark = pytest.mark.pure

BOOKED = ToolDone("book_appointment", {"booked": True, "text": "Tuesday, November 24, at 3:30 PM"})
HOURS = ToolDone("opening_hours", {"text": "We are open."})
NOBODY = ToolDone("transfer_to_operator", {"transferred": False, "text": "Nobody is free."})
ENDED = ToolDone(END_TOOL, {"ended": True})


@pytest.fixture(scope="module")
def reception() -> Assistant:
    return load_assistant("reception")


@pytest.fixture(scope="module")
def flow(reception: Assistant) -> Flow:
    return Flow(reception)


def follow(flow: Flow, turns: Sequence[str | Turn], state: FlowState | None = None) -> Step:
    """Take every turn in order; a text is something said."""
    step = Step(state or flow.start(), "")
    for turn in turns:
        step = flow.step(step.state, Said(turn) if isinstance(turn, str) else turn)
    return step


BOOKING = ["I'd like to book an appointment.", "Tuesday.", "At half past three.", "Anna Keller."]


def test_a_booking_asks_for_what_is_missing_and_reads_it_back(flow: Flow) -> None:
    """Day, time and name are asked for one at a time, then repeated as a question."""
    assert follow(flow, BOOKING[:1]).say == "Which day would you like to come?"
    assert follow(flow, BOOKING[:2]).say == "At what time?"
    assert follow(flow, BOOKING[:3]).say == "May I have your name, please?"
    assert follow(flow, BOOKING).say == "So that is Tuesday, at 3:30 PM, for Anna Keller. Is that right?"


def test_a_confirmed_booking_calls_the_tool_with_plain_values(flow: Flow) -> None:
    """The tool gets the values, not their spoken form, and its answer is spoken."""
    step = follow(flow, [*BOOKING, "Yes, that's right."])
    assert step.call is not None
    assert step.call.name == "book_appointment"
    assert step.call.arguments == {"day": "tuesday", "time": "15:30", "name": "Anna Keller"}
    after = flow.step(step.state, BOOKED)
    assert "November 24, at 3:30 PM" in after.say
    assert after.say.endswith("Is there anything else I can do for you?")
    assert after.state.slot("day") == ""


def test_everything_said_at_once_is_taken_at_once(flow: Flow) -> None:
    """Day, time and an announced name in one sentence leave only the read-back."""
    step = follow(flow, ["My name is Anna Keller and I'd like to book for Tuesday at 3:30 p.m."])
    assert step.say == "So that is Tuesday, at 3:30 PM, for Anna Keller. Is that right?"


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        ("No, at four.", "So that is Tuesday, at 4 PM, for Anna Keller. Is that right?"),
        ("No, four.", "So that is Tuesday, at 4 PM, for Anna Keller. Is that right?"),
        ("No, Wednesday.", "So that is Wednesday, at 3:30 PM, for Anna Keller. Is that right?"),
        ("No, my name is Anne Keller.", "So that is Tuesday, at 3:30 PM, for Anne Keller. Is that right?"),
        ("Yes, but on Friday.", "So that is Friday, at 3:30 PM, for Anna Keller. Is that right?"),
        ("No.", "What should I change, the day, the time, or the name?"),
        ("The name is wrong.", "May I have your name, please?"),
    ],
)
def test_a_read_back_can_be_corrected(flow: Flow, answer: str, say: str) -> None:
    """A correction is taken from the refusal itself, or asked for."""
    assert follow(flow, [*BOOKING, answer]).say == say


def test_what_should_change_is_asked_for_again(flow: Flow) -> None:
    """After a bare no, the field named is asked for and the rest is kept."""
    step = follow(flow, [*BOOKING, "No.", "The time.", "At nine in the morning."])
    assert step.say == "So that is Tuesday, at 9 AM, for Anna Keller. Is that right?"


def test_keys_choose_confirm_and_call_the_operator(flow: Flow) -> None:
    """1 and 2 choose from the menu, 1 confirms a read-back, 0 is the operator everywhere."""
    assert follow(flow, [Pressed("1")]).say == "Which day would you like to come?"
    hours = follow(flow, [Pressed("2")])
    assert hours.call is not None
    assert hours.call.name == "opening_hours"
    confirmed = follow(flow, [*BOOKING, Pressed("1")])
    assert confirmed.call is not None
    assert confirmed.call.name == "book_appointment"
    for said in (BOOKING[:0], BOOKING[:2], BOOKING):
        operator = follow(flow, [*said, Pressed("0")])
        assert operator.call is not None
        assert operator.call.name == "transfer_to_operator"
        assert operator.say.startswith("One moment")


def test_a_question_in_between_leads_back_to_where_it_was_asked(flow: Flow) -> None:
    """Opening hours in the middle of a booking are told, and the booking goes on."""
    step = follow(flow, [*BOOKING[:2], "When are you open on Saturday?"])
    assert step.call is not None
    assert step.call.arguments == {"day": "saturday"}
    after = flow.step(step.state, HOURS)
    assert after.say == "We are open. At what time?"
    assert after.state.slot("day") == "tuesday"


def test_words_that_are_not_understood_are_asked_for_again_then_given_up(flow: Flow) -> None:
    """Two apologies with the question, then the operator."""
    first = follow(flow, ["flargle"])
    assert first.say.startswith("Sorry, I did not catch that.")
    second = follow(flow, ["flargle"], first.state)
    assert second.say.startswith("Sorry, I still did not understand.")
    third = follow(flow, ["flargle"], second.state)
    assert third.call is not None
    assert third.call.name == "transfer_to_operator"


def test_an_understood_answer_forgives_earlier_misses(flow: Flow) -> None:
    """Misses only count in a row."""
    step = follow(flow, ["flargle", "flargle", "book an appointment", "flargle", "flargle"])
    assert step.call is None
    assert step.say.endswith("Please tell me a day, for example Tuesday.")


def test_the_last_words_can_be_heard_again(flow: Flow) -> None:
    """Asking for a repetition changes nothing else."""
    step = follow(flow, [*BOOKING, "Could you say that again?"])
    assert step.say == follow(flow, BOOKING).say


def test_goodbye_ends_the_call_from_anywhere(flow: Flow) -> None:
    """The goodbye is spoken, the line is hung up, and nothing said later reopens the call."""
    for said in ([], BOOKING[:2], BOOKING):
        step = follow(flow, [*said, "Goodbye."])
        assert step.say == "Thank you for calling Riverside Clinic. Goodbye."
        assert step.call is not None
        assert step.call.name == END_TOOL
        late = follow(flow, ["wait, one more thing"], step.state)
        assert (late.say, late.call) == ("", step.call)


def test_no_operator_is_said_as_the_tool_says_it(flow: Flow) -> None:
    """When nobody takes the call the caller is told so and asked on."""
    step = follow(flow, ["I want to speak to a person"])
    after = flow.step(step.state, NOBODY)
    assert after.say == "Nobody is free. Is there anything else I can do for you?"


def test_a_caller_who_speaks_while_a_tool_works_has_it_called_again(flow: Flow) -> None:
    """An interruption takes the tool's answer away, so the same call is made again."""
    step = follow(flow, [*BOOKING, "Yes."])
    again = follow(flow, ["hello?"], step.state)
    assert again.call == step.call
    assert again.state == step.state


def test_an_answer_to_a_call_that_was_left_behind_changes_nothing(flow: Flow) -> None:
    """A late result is not spoken into another question."""
    left = follow(flow, [*BOOKING, "Yes.", "Actually, when are you open?"])
    assert flow.step(left.state, BOOKED) == Step(left.state, "")


def test_a_failing_tool_is_admitted(flow: Flow) -> None:
    """A tool's error takes the way for any answer."""
    step = follow(flow, [*BOOKING, "Yes."])
    after = flow.step(step.state, ToolDone("book_appointment", {"error": "disk full"}))
    assert after.say.startswith("I am sorry, I cannot reach the diary.")
    assert after.call is not None
    assert after.call.name == "transfer_to_operator"


@pytest.mark.parametrize(
    ("result", "asks"),
    [
        ({"booked": False, "reason": "closed_day", "text": "Closed."}, "Which day"),
        ({"booked": False, "reason": "closed", "text": "Closed."}, "At what time"),
        ({"booked": False, "reason": "taken", "text": "Taken."}, "At what time"),
        ({"booked": False, "reason": "past", "text": "Past."}, "Which day"),
    ],
)
def test_a_refused_booking_asks_for_what_was_wrong(flow: Flow, result: dict[str, Any], asks: str) -> None:
    """The reason is told and only what caused it is asked for again."""
    step = flow.step(follow(flow, [*BOOKING, "Yes."]).state, ToolDone("book_appointment", result))
    assert asks in step.say
    assert result["text"] in step.say
    assert step.state.slot("name") == "Anna Keller"


def test_the_recogniser_is_told_what_to_expect(flow: Flow) -> None:
    """Every question has its own hint."""
    hints = [flow.hint(follow(flow, BOOKING[:n]).state) for n in range(5)]
    assert len(set(hints)) == 5
    assert "appointment" in hints[0]
    assert "Tuesday" in hints[1]
    assert "p.m." in hints[2]
    assert "Yes" in hints[4]


def test_a_step_is_a_function_of_state_and_turn(flow: Flow) -> None:
    """Working an answer out any number of times neither changes the answer nor the state."""
    state = follow(flow, BOOKING).state
    steps = {flow.step(state, Said("yes")).say for _ in range(3)}
    assert flow.step(state, Said("no, at five")).state != state
    assert len(steps) == 1


TURNS = st.lists(
    st.one_of(
        st.text(max_size=60).map(Said),
        st.sampled_from([*BOOKING, "yes", "no", "hours", "operator", "bye", "again", "four", "the name"]).map(
            Said
        ),
        st.text("0123456789*#", min_size=1, max_size=3).map(Pressed),
        st.sampled_from([BOOKED, HOURS, NOBODY, ENDED]),
        st.dictionaries(st.text(max_size=5), st.booleans(), max_size=2).map(
            lambda r: ToolDone("opening_hours", r)
        ),
    ),
    max_size=25,
)


@given(TURNS)
@settings(max_examples=300, deadline=None)
def test_whatever_happens_the_flow_asks_calls_or_ends(flow: Flow, turns: list[Turn]) -> None:
    """No sequence of turns raises, and after each the caller is asked, a tool works, or the call ends."""
    state = flow.start()
    for turn in turns:
        step = flow.step(state, turn)
        if isinstance(turn, ToolDone):
            assert step.say or step.call or step.state == state
        else:
            assert step.say or step.call
        if step.call is None and not step.state.closed and step.state.calling is None:
            assert flow.question(step.state)
        assert flow.keys_expected(step.state) >= 1
        flow.hint(step.state)
        state = step.state


def test_what_was_said_too_early_is_not_asked_for_again(flow: Flow) -> None:
    """A recogniser may cut one sentence into two turns, and the first half still counts."""
    step = follow(
        flow, ["My name is Anna Keller.", "And I would like to book for Tuesday at half past three."]
    )
    assert step.say == "So that is Tuesday, at 3:30 PM, for Anna Keller. Is that right?"


QUESTIONS = Flow(load_assistant("questionnaire"))
DELIVERY = Flow(filled(load_assistant("delivery"), examples=True))


def test_a_form_without_read_back_is_done_with_its_last_answer() -> None:
    """A questionnaire thanks at once, and holds every answer."""
    step = follow(QUESTIONS, ["Yes.", "Nine.", "Of course.", "Nothing at all, thanks."])
    assert step.call is not None
    assert step.call.name == END_TOOL
    assert dict(step.state.slots) == {"mark": "9", "recommends": "yes", "remark": "Nothing at all, thanks."}


@pytest.mark.parametrize("answer", ["Eleven.", "a hundred and 20", "no idea"])
def test_a_number_outside_is_asked_for_again(answer: str) -> None:
    """Only a number that may be answered is one."""
    assert "from 0 to 10" in follow(QUESTIONS, ["Yes.", answer]).say


def test_a_number_may_be_typed() -> None:
    """As many keys as the largest has digits."""
    asked = follow(QUESTIONS, ["Yes."]).state
    assert QUESTIONS.keys_expected(asked) == 2
    assert "recommend" in QUESTIONS.step(asked, Pressed("10")).say


def test_a_choice_is_said_by_its_first_phrase() -> None:
    """The value is the record's, the words are the caller's."""
    step = follow(DELIVERY, ["Да.", "Вечером, пожалуйста."])
    assert step.say == "Записываю: завтра, вечером. Всё верно?"
    assert step.state.slot("part") == "evening"


def test_a_day_that_is_refused_is_not_taken_for_the_wanted_one() -> None:
    """Who says no and names the day is asked for another."""
    assert follow(DELIVERY, ["Нет, завтра меня не будет."]).say == "В какой день привезти заказ?"
    assert "Когда удобнее" in follow(DELIVERY, ["Нет, лучше в среду."]).say


def test_a_form_is_corrected_in_russian() -> None:
    """Another day in the answer to the read-back replaces the first."""
    step = follow(DELIVERY, ["Нет.", "В среду.", "Днём.", "Нет, лучше в четверг."])
    assert "в четверг, днём" in step.say


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_every_flow_answers_anything(texts: list[str]) -> None:
    """Whatever is said, the samples speak or act, and never fail."""
    for flow in (QUESTIONS, DELIVERY):
        step = follow(flow, texts)
        assert not texts or step.say or step.call
