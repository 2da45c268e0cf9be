from pathlib import Path

import pytest

from telephony.assistants.loader import BUNDLED, assistant_names, load_assistant, read_assistant
from telephony.errors import AssistantError

pytestmark = pytest.mark.pure

MINIMAL = """\
name: desk
greeting: Hello.
instructions: Be kind.
silence: {prompts: [Hello?], goodbye: Bye.}
not_understood: [Sorry?]
time_is_up: Time is up.
"""

FLOWING = (
    MINIMAL
    + """\
tools: [opening_hours, end_call]
flow:
  start: menu
  give_up: bye
  intents:
    - phrases: [goodbye]
      goto: bye
  states:
    menu:
      kind: choice
      ask: What now?
      choices:
        - phrases: [hours]
          goto: hours
    hours:
      kind: tool
      call: opening_hours
      results:
        - say: "{result.text}"
          goto: back
    bye:
      kind: end
      say: Bye.
"""
)


def write(folder: Path, text: str, name: str = "desk") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(AssistantError) as error:
        read_assistant(write(folder, text))
    return error.value.message


def test_every_bundled_assistant_can_be_loaded() -> None:
    """What comes with the product is right."""
    assert assistant_names()
    for name in assistant_names():
        assert load_assistant(name).name == name


def test_an_assistant_needs_little(tmp_path: Path) -> None:
    """Instructions alone make an assistant, and a flow alone does."""
    assert read_assistant(write(tmp_path, MINIMAL)).flow is None
    assert read_assistant(write(tmp_path, FLOWING.replace("instructions: Be kind.\n", ""))).flow is not None


def test_the_operators_folder_is_looked_in_first(tmp_path: Path) -> None:
    """A file of the same name replaces a bundled assistant."""
    text = (BUNDLED / "reception.yaml").read_text().replace("Riverside", "Lakeside")
    write(tmp_path, text, "reception")
    assert "Lakeside" in load_assistant("reception", [tmp_path]).greeting
    assert "Riverside" in load_assistant("reception").greeting


@pytest.mark.parametrize("name", ["nobody", "../reception", "", "/etc/passwd"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    """No name leads out of the folders, and the error lists what there is."""
    with pytest.raises(AssistantError, match="reception"):
        load_assistant(name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("greeting: Hello.", "greting: Hello."), "desk.yaml:2:1: greting: there is no such key"),
        (("greeting: Hello.\n", ""), "greeting: is missing"),
        (("greeting: Hello.", "greeting: 7"), "desk.yaml:2:1: greeting: must be text"),
        (("greeting: Hello.", 'greeting: "..."'), "greeting: there is nothing to say in it"),
        (("name: desk", "name: office"), "desk.yaml:1:1: name: must be 'desk'"),
        (
            ("goto: bye\n  states", "goto: by\n  states"),
            "desk.yaml:13:7: flow.intents[0].goto: there is no state 'by'",
        ),
        (("start: menu", "start: hours"), "flow.start: the first state must wait"),
        (("give_up: bye", "give_up: back"), "flow.give_up: this must be a state"),
        (
            ("phrases: [hours]", 'phrases: ["* hours"]'),
            "flow.states.menu.choices[0].phrases[0]: a phrase begins",
        ),
        (("phrases: [hours]", "phrases: []"), "flow.states.menu.choices[0]: needs phrases"),
        (
            ("call: opening_hours", "call: book_appointment"),
            "flow.states.hours.call: 'book_appointment' is not one",
        ),
        (("tools: [opening_hours,", "tools: [opening_hour,"), "tools[0]: there is no tool 'opening_hour'"),
        (('say: "{result.text}"', 'say: "{day}"'), "flow.states.hours: nothing fills {day}"),
        (
            ('- say: "{result.text}"', "- when: {a: 1}\n          say: x"),
            "the last result must have no `when`",
        ),
        (("goto: back", "goto: hours"), "flow.states.hours: leads back to itself"),
        (("kind: end", "kind: stop"), "flow.states.bye"),
        (("ask: What now?", "asks: What now?"), "flow.states.menu.asks: there is no such key"),
        (("Hello.\n", "Hello.\ngreeting: Again.\n"), "the key is written twice"),
        (("name: desk", "name: [desk"), "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    """Each mistake is named by its place in the file and what is wrong there."""
    assert change[0] in FLOWING
    assert says in refusal(tmp_path, FLOWING.replace(*change, 1))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One reading of the file is enough to correct it."""
    text = FLOWING.replace("goto: bye\n  states", "goto: by\n  states").replace("start: menu", "start: men")
    assert refusal(tmp_path, text).count("there is no state") == 2


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]", "\t: x", "a: &a [*a]"])
def test_what_is_no_assistant_at_all_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing that YAML can hold gets further than a sentence."""
    assert refusal(tmp_path, text)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that is not there is no traceback."""
    with pytest.raises(AssistantError, match="cannot read"):
        read_assistant(tmp_path / "none.yaml")


def test_a_form_must_read_back_all_it_asks(tmp_path: Path) -> None:
    """What is not repeated could not be corrected."""
    form = """\
    form:
      kind: form
      slots:
        - {slot: day, type: day, ask: Which day?}
        - {slot: time, type: time, ask: When?}
      read_back: "On {day}?"
      change: What then?
      goto: bye
"""
    assert "form.read_back: must repeat {time}" in refusal(tmp_path, FLOWING + form)


def test_yaml_words_for_truth_stay_words(tmp_path: Path) -> None:
    """An unquoted yes is the answer yes, as YAML 1.2 reads it."""
    text = FLOWING.replace("phrases: [hours]", "answer: yes")
    assert read_assistant(write(tmp_path, text)).flow is not None


ORDERING = (
    FLOWING
    + """\
http_tools:
  order:
    description: Order it.
    url: https://api.example.com/{item}
    parameters: {item: {}}
    result: {number: {type: integer}}
    say: "Number {number}."
data: {shop: {example: Books}}
speech: {llm: {provider: openai, model: x}}
"""
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("{item}", "{itm}"), "http_tools.order.url: {itm} is none of its parameters. Did you mean item?"),
        (
            ("Number {number}", "Number {numbr}"),
            "http_tools.order.say: nothing fills {numbr}. Did you mean number",
        ),
        (
            ("result: {number", "result: {item"),
            "http_tools.order.result.item: is the name of a parameter already",
        ),
        (
            ("parameters:", "paramters:"),
            "http_tools.order.paramters: there is no such key here. Did you mean para",
        ),
        (("https:", "file:"), "http_tools.order.url: must be an URL"),
        (("type: integer", "type: int"), "http_tools.order.result.number.type: must be"),
        (("  order:", "  opening_hours:"), "tools[0]: there is a tool 'opening_hours' already"),
        (
            ("greeting: Hello.", "greeting: Hello {data.shp}."),
            "greeting: `data` declares no 'shp'. Did you mean shop?",
        ),
        (("com/{item}", "com/{data.shop}{item}"), "http_tools.order.url: is not filled here"),
        (("model: x", "model: x, api_key: k"), "speech.llm.api_key: belongs to the operator's file"),
        (("model: x", "modl: x"), "speech.llm.modl: there is no such key here. Did you mean model?"),
        (("language: en", "language: ru"), "tools[0]: opening_hours speaks en only, not ru"),
        (("tools: [opening_hours,", 'tools: ["no.such:thing",'), "'no.such:thing' cannot be imported"),
        (("tools: [opening_hours,", 'tools: ["os:path",'), "tools[0]: 'os:path' is no tool"),
        (("start: menu", "start: menus"), "there is no state 'menus'. Did you mean menu?"),
        (("call: opening_hours", "call: ordr"), "is not one of this assistant's tools. Did you mean order?"),
    ],
)
def test_a_wrong_tool_or_place_is_told(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """Tools, data and speech are as strict as the rest, and name what was probably meant."""
    text = ORDERING.replace("greeting: Hello.", "language: en\ngreeting: Hello.")
    assert change[0] in text
    assert says in refusal(tmp_path, text.replace(*change, 1))


def test_a_flow_may_call_a_declared_tool(tmp_path: Path) -> None:
    """It is one of the assistant's tools without being listed twice."""
    text = ORDERING.replace("call: opening_hours", "call: order")
    assert read_assistant(write(tmp_path, text)).http_tools["order"].repeats == 1


def test_a_function_of_ones_own_is_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An async function in a module that Python finds; a flow calls it by its name."""
    (tmp_path / "my_desk.py").write_text(
        "async def ring_bell(desk, times: int = 1):\n"
        "    'Ring the bell.'\n"
        "    return {'text': 'ding ' * times}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = FLOWING.replace("[opening_hours,", '["my_desk:ring_bell",').replace(
        "call: opening_hours", "call: ring_bell"
    )
    assert read_assistant(write(tmp_path, text)).tools[0] == "my_desk:ring_bell"


def test_words_for_a_failure_are_of_the_assistants_language(tmp_path: Path) -> None:
    """A Russian caller is not told in English that something is wrong; own words go before."""
    text = MINIMAL.replace("greeting:", "language: ru\nrescue: {moment: Секунду.}\ngreeting:")
    rescue = read_assistant(write(tmp_path, text)).rescue
    assert rescue.moment == "Секунду."
    assert rescue.again.startswith("Простите")
    assert read_assistant(write(tmp_path, MINIMAL)).rescue.moment == "One moment, please."


def test_a_form_without_read_back_cannot_lead_back_to_itself(tmp_path: Path) -> None:
    """Once it is full it would never let the caller speak."""
    form = """\
    form: {kind: form, slots: [{slot: day, type: day, ask: Which day?}], goto: other}
    other: {kind: form, slots: [{slot: time, type: time, ask: When?}], goto: form}
"""
    text = FLOWING.replace("    bye:\n", form + "    bye:\n")
    assert "leads back to itself without ever asking" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("slot", "says"),
    [
        ("{slot: a, type: choice, ask: Which?}", "a choice needs choices"),
        ("{slot: a, type: day, ask: Which?, choices: {x: [y]}}", "a choice needs choices"),
        ("{slot: a, type: number, ask: Which?, least: 5, most: 1}", "must not be larger than most"),
        ("{slot: a, type: text, ask: Which?, most: 1}", "only a number has least and most"),
        ("{slot: a, type: name, ask: Which?, digits: 4}", "only digits have a number of digits"),
    ],
)
def test_a_question_that_fits_nothing_is_refused(tmp_path: Path, slot: str, says: str) -> None:
    """Keys of one type of answer are not those of another."""
    form = f"    form: {{kind: form, slots: [{slot}], goto: bye}}\n"
    assert says in refusal(tmp_path, FLOWING.replace("    bye:\n", form + "    bye:\n"))


def test_a_state_that_nothing_leads_to_is_refused(tmp_path: Path) -> None:
    """Not even one that another such state leads to; an intent, a choice or the giving up is enough."""
    lost = """\
    lost: {kind: choice, ask: Who?, choices: [{answer: "yes", goto: also_lost}, {answer: "no", goto: bye}]}
    also_lost: {kind: end, say: Goodbye.}
"""
    text = FLOWING.replace("    bye:\n", lost + "    bye:\n")
    told = refusal(tmp_path, text)
    assert "flow.states.lost: no call comes here" in told
    assert "flow.states.also_lost: no call comes here" in told
