"""The report as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from telephony.caller.markup import Markup, element, join
from telephony.caller.page import OUTCOMES, render_page
from tests.caller.example import example_recordings, example_report, failed_report

pytestmark = pytest.mark.pure


class Reader(HTMLParser):
    """Checks that elements are closed in order, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_needs_nothing_else() -> None:
    """No script, no address, nothing to load: it can be sent as it is."""
    page = render_page(example_report(), *example_recordings())
    reader = read(page)
    assert {"src", "href", "onload"}.isdisjoint(name for name, _ in reader.attributes)
    assert "<script" not in page
    assert re.findall(r"(?:https?:)?//[a-z]|url\(|@import", page) == []
    assert "prefers-color-scheme: dark" in page


def test_the_page_shows_the_call() -> None:
    """Figures, words, keys, SIP messages, latencies and the interruption are there."""
    text = "\n".join(read(render_page(example_report(), *example_recordings())).words)
    for shown in (
        "Booking <an> appointment",
        "A person calls & books.",
        "Went as scripted",
        "451 ms",
        "132 ms",
        "1.24 s",
        "Book, please.",
        "Which day?",
        "interrupts, agent silent after",
        "INVITE  →  180 Ringing  →  200 OK  →  ACK",
        "BYE",
        "0.74 s",
        "said again",
        "heard from the first syllable",
        "MOS 4.40",
    ):
        assert shown in text, shown


def test_what_others_said_cannot_break_the_page() -> None:
    """Words from a script or a recogniser are text, whatever they look like."""
    report = example_report()
    report.utterances[0].text = "</text><script>alert(1)</script>"
    report.turns[0].heard = '"><img src=x onerror=alert(1)>'
    page = render_page(report, *example_recordings())
    reader = read(page)
    assert "<script" not in page
    assert "<img" not in page
    assert "src" not in dict(reader.attributes)


def test_a_failed_call_says_what_failed() -> None:
    """The problem with its step and line, and that the figures are approximate."""
    text = "\n".join(read(render_page(failed_report(), *example_recordings())).words)
    assert "Did not go as scripted" in text
    assert "The agent did not say: <goodbye>." in text
    assert "step 7, line 31" in text
    assert "approximate" in text
    assert "gap in the agent's audio" in text


def test_a_call_that_never_came_about_has_a_page_too() -> None:
    """Nothing was said, nothing was heard, and it is still a page."""
    report = failed_report()
    silent = type(report)(report.script, report.to, report.started_at, outcome="unreachable", duration_s=0.0)
    none = example_recordings()[0][:0]
    assert OUTCOMES["unreachable"] in render_page(silent, none, none)


def test_markup_escapes_all_but_itself() -> None:
    """Text and attribute values are escaped, elements are not."""
    made = element("p", "<&>", element("b", 1), None, class_='a"b', stroke_width=1.25)
    assert made == '<p class="a&quot;b" stroke-width="1.2">&lt;&amp;&gt;<b>1</b></p>'
    assert join("<", Markup("<br>")) == "&lt;<br>"
    assert element("meta", name="a") == '<meta name="a">'
