"""A call told in lines, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from telephony.caller.events import CallerEvent
from telephony.caller.narration import Narrator, Told, duration, figures
from telephony.caller.show import plain_line, show_summary, watcher
from tests.caller.example import example_report, failed_report

pytestmark = pytest.mark.pure

EVENTS = [
    CallerEvent("inviting", 0.0, "sip:clinic@127.0.0.1"),
    CallerEvent("ringing", 0.01, "", {"after_ms": 8.0, "status": 180}),
    CallerEvent("answered", 0.45, "", {"after_ms": 451.0, "codec": "PCMU"}),
    CallerEvent("agent_speaking", 0.7, "", {"started_s": 0.6, "answer_to_first_audio_ms": 132.0}),
    CallerEvent("agent_silent", 2.5, "", {}),
    CallerEvent("heard", 2.6, "Hello.", {"started_s": 0.6, "ended_s": 2.0}),
    CallerEvent("expectation", 2.6, "hello", {"ok": True}),
    CallerEvent("saying", 3.0, "Book, please.", {"duration_s": 1.0, "repeated": False}),
    CallerEvent("said", 4.0, "Book, please."),
    CallerEvent("reply", 4.8, "", {"latency_ms": 740.0}),
    CallerEvent("heard", 8.6, "We are open", {"started_s": 4.74}),
    CallerEvent("pressed", 9.0, "2"),
    CallerEvent("interrupted", 12.0, "That's all.", {"duration_s": 1.0}),
    CallerEvent("barge_in", 12.7, "That's all.", {"silence_ms": 210.0}),
    CallerEvent("heard", 12.8, "We are open on", {"started_s": 9.3}),
    CallerEvent("problem", 20.0, "The agent said nothing.", {"step": 3, "line": None}),
    CallerEvent("ended", 20.1, "", {"ok": False, "outcome": "expectation_failed", "ended_by": "caller"}),
]


def told(events: list[CallerEvent]) -> list[Told]:
    narrator = Narrator()
    return [line for event in events for line in narrator.tell(event)]


def test_a_call_is_told_in_the_order_it_happened() -> None:
    """Each side's words come with their figures, and an interruption after what it interrupted."""
    assert [(line.who, line.text, line.note) for line in told(EVENTS)] == [
        ("line", "calls sip:clinic@127.0.0.1", ""),
        ("line", "rings", "after 8 ms"),
        ("line", "is answered, PCMU", "after 451 ms"),
        ("agent", "Hello.", "132 ms after the answer"),
        ("caller", "Book, please.", ""),
        ("agent", "We are open", "replies after 740 ms"),
        ("caller", "presses 2", ""),
        ("agent", "We are open on", ""),
        ("caller", "That's all.", "talks over the agent, which is silent after 210 ms"),
        ("problem", "The agent said nothing.", "step 3"),
        ("line", "is over, the caller hung up", ""),
    ]
    times = [line.at_s for line in told(EVENTS)]
    assert times == sorted(times)


def test_an_interruption_is_told_even_when_nothing_came_of_it() -> None:
    """What is held back is told at the latest when the call is over."""
    lines = told([EVENTS[12], EVENTS[-1]])
    assert [line.text for line in lines] == ["That's all.", "is over, the caller hung up"]


def test_the_watcher_prints_plain_lines_where_there_is_no_terminal() -> None:
    """One line each, nothing to interpret, markup of others taken as text."""
    out = io.StringIO()
    watch = watcher(Console(file=out))
    for event in [*EVENTS[:4], CallerEvent("heard", 2.6, "[bold]Hello[/bold]", {"started_s": 0.6})]:
        watch(event)
    assert (
        out.getvalue().splitlines()[-1] == "   0.6 s  agent    [bold]Hello[/bold]  [132 ms after the answer]"
    )


def test_the_watcher_prints_colours_on_a_terminal() -> None:
    """And wraps a long line below itself."""
    out = io.StringIO()
    watch = watcher(Console(file=out, force_terminal=True, width=60, color_system="standard"))
    watch(CallerEvent("saying", 3.0, "words " * 30, {}))
    assert "\x1b[" in out.getvalue()
    assert len(out.getvalue().splitlines()) > 2


def test_a_quiet_watcher_prints_nothing() -> None:
    """So that standard output can be one JSON object."""
    out = io.StringIO()
    watch = watcher(Console(file=out), quiet=True)
    for event in EVENTS:
        watch(event)
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [False, True])
def test_the_summary_has_outcome_figures_and_problems(terminal: bool) -> None:
    """What somebody wants to know after the call, and where to read on."""
    report = failed_report()
    report.report = "out"
    out = io.StringIO()
    show_summary(Console(file=out, force_terminal=terminal, width=100, color_system=None), report)
    for shown in ("did not go as scripted", "451 ms", "210 ms", "out/report.html", "did not say: <goodbye>"):
        assert shown in out.getvalue()


def test_figures_that_are_missing_are_left_out() -> None:
    """A call that was not answered has no latencies to show."""
    report = example_report()
    report.barge_in_silence_ms = None
    names = [name for name, _ in figures(report)]
    assert "Silent after interruption" not in names
    assert "Answered after" in names
    assert duration(999.4) == "999 ms"
    assert duration(-300) == "-300 ms"
    assert duration(1240) == "1.24 s"
    assert plain_line(Told(3.0, "caller", "Hi.")) == "   3.0 s  caller   Hi."
