"""Scripts: what is accepted, and what is said about what is not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.caller.script import ExpectStep, HangUpStep, Interrupt, InterruptStep, Say, SayStep, describe
from telephony.caller.script_file import load_script, parse_script, shipped_scripts
from telephony.errors import ScriptError

pytestmark = pytest.mark.pure

HEAD = "name: a call\nsteps:\n"


def refusal(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, source="call.yaml")
    return str(caught.value)


def test_the_shipped_scripts_are_valid() -> None:
    """Every script that comes with the package can be read, the demo and the short one among them."""
    assert {"demo", "hello"} <= set(shipped_scripts())
    for name in shipped_scripts():
        assert load_script(name).spoken()


def test_short_forms_mean_their_long_forms() -> None:
    """A line alone is a say, a word alone is an expect, and a bare name is a step with its defaults."""
    script = parse_script(f"{HEAD}  - say: Hello.\n  - expect: hello\n  - hang_up\n")
    say, expect, end = script.steps
    assert isinstance(say, SayStep)
    assert say.say == Say(text="Hello.")
    assert isinstance(expect, ExpectStep)
    assert expect.expect.all == ["hello"]
    assert isinstance(end, HangUpStep)
    assert end.hang_up.when == "now"


def test_steps_know_their_lines() -> None:
    """Each step can be found again in its file."""
    script = parse_script(f"{HEAD}  - say: Hello.\n\n  # then\n  - wait: 1\n")
    assert [script.line_of(number) for number in range(3)] == [3, 6, None]


def test_the_delay_of_a_cue_depends_on_the_cue() -> None:
    """A person waits a moment after the agent, and talks over it a moment after it began."""
    assert Say(text="a").delay_ms == 700
    assert Say(text="a", when="over_agent").delay_ms == 300
    assert Say(text="a", when="after_ms").delay_ms == 0
    assert Say(text="a", after_ms=50).delay_ms == 50


def test_lines_are_spoken_once() -> None:
    """A line that comes twice is synthesised once, interruptions included."""
    script = parse_script(f"{HEAD}  - say: a\n  - interrupt: {{text: b}}\n  - say: a\n")
    assert script.spoken() == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "  - say: {txt: hello}\n",
            ["line 3", "steps[0].say.txt", "unknown key, did you mean text?", "is missing"],
        ),
        ("  - press: 0\n", ["line 3", "steps[0].press", "write it in quotes"]),
        ('  - press: "0x"\n', ["line 3", "no DTMF digit"]),
        ("  - wait: 1\n  - jump: 1\n", ["line 4", "steps[1]", "exactly one of the keys say, expect"]),
        ("  - say: a\n    wait: 1\n", ["line 3", "exactly one of the keys"]),
        ("  - expect: {within_s: 3}\n", ["steps[0].expect", "all, any, begins"]),
        (
            "  - say: {text: a, when: later}\n",
            ["steps[0].say.when", "'after_agent', 'after_ms' or 'over_agent'"],
        ),
        ("  - hang_up\n  - say: a\n", ["step 1 ends the call"]),
        ("  - say: a\n  - say: a\nsteps: []\n", ["line 5", "steps: given twice"]),
        (
            "  - say: a\nsettings: {voice: {speed: 9}}\n",
            ["line 4", "settings.voice.speed", "less than or equal to 2"],
        ),
        ("  - say: a\nlines: [1]\n", ["line 4", "lines: unknown key"]),
        ("  - say: &it a\n  - say: *it\n", ["line 4", "alias"]),
        ("  - say: 'a\n", ["not YAML", "line"]),
    ],
)
def test_mistakes_are_named_with_line_and_key(body: str, said: list[str]) -> None:
    """A wrong script is refused, and each mistake is said with its line, its key and what is wrong."""
    message = refusal(HEAD + body)
    assert message.startswith("call.yaml: ")
    for part in said:
        assert part in message


def test_all_mistakes_are_named_at_once() -> None:
    """Nobody has to run a script once for each of its mistakes."""
    message = refusal("nam: a\nsteps:\n  - sy: a\n  - press: 1\n")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "line 1",
        "line 1",
        "line 3",
        "line 4",
    ]


@pytest.mark.parametrize(
    "text", ["", "- a\n", "just words", "name: a\n", "name: a\nsteps: []\n", "name: a\nsteps:\n"]
)
def test_what_is_no_script_is_refused(text: str) -> None:
    """An empty file, a list, a script without steps."""
    assert refusal(text)


def test_a_missing_file_names_the_shipped_scripts() -> None:
    """A wrong name is answered with the names there are."""
    with pytest.raises(ScriptError, match="demo, hello"):
        load_script("no-such-script")


@given(st.text(alphabet="nameists:-\n []{}&*!|>\"'#%@0a1", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is in the file, the answer is a script or a ScriptError."""
    with contextlib.suppress(ScriptError):
        parse_script(text)


def test_steps_describe_themselves() -> None:
    """The report says in a few words what a step asked for."""
    script = parse_script(
        f"{HEAD}  - expect: {{begins: [hello], all: [clinic, day], any: [a, b]}}\n"
        '  - press: "12"\n  - wait: 1.5\n  - interrupt: {text: stop}\n  - hang_up\n'
    )
    assert [describe(step) for step in script.steps] == [
        "begins with hello; clinic, day; a or b",
        "12",
        "1.5 s",
        "stop",
        "",
    ]
    interrupt = script.steps[3]
    assert isinstance(interrupt, InterruptStep)
    assert interrupt.interrupt == Interrupt(text="stop")


def test_the_words_of_a_hang_up_may_be_written_short() -> None:
    """``expect_hang_up: goodbye`` wants the word before the end."""
    script = parse_script("name: x\nsteps:\n  - expect_hang_up: goodbye\n")
    assert script.steps[0].model_dump()["expect_hang_up"]["all"] == ["goodbye"]
