"""The report as one self-contained HTML page: nothing to load, nothing to run, light and dark. Pure."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from telephony.caller.drawing import draw_call
from telephony.caller.markup import Markup, element, join
from telephony.caller.narration import duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from telephony.caller.report import CallReport, Outcome, Turn

OUTCOMES: dict[Outcome, str] = {
    "completed": "Went as scripted",
    "expectation_failed": "Did not go as scripted",
    "agent_hung_up": "The agent hung up early",
    "refused": "Refused",
    "not_answered": "Not answered",
    "unreachable": "Unreachable",
    "failed": "Failed",
}
"""Each outcome in words."""


def render_page(report: CallReport, caller: NDArray[np.int16], agent: NDArray[np.int16]) -> str:
    """The whole page.

    Args:
        report: what happened.
        caller: what the caller sent, 8 kHz, sample 0 at the INVITE.
        agent: what it heard, likewise.
    """
    style = Markup(resources.files("telephony.caller").joinpath("page.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{report.script}: {OUTCOMES[report.outcome]}"),
        element("style", style),
    )
    body = element(
        "body",
        _header(report),
        _figures(report),
        _problems(report),
        element("section", element("h2", "The call"), _legend(report), draw_call(report, caller, agent)),
        element("section", element("h2", "Turn by turn"), _turns(report)),
        element("section", element("h2", "The script"), _steps(report), class_="half"),
        element("section", element("h2", "SIP and media"), _sip(report), class_="half"),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en")


def _header(report: CallReport) -> Markup:
    pill = element("span", OUTCOMES[report.outcome], class_="pill good" if report.ok else "pill bad")
    ended = {"agent": "the agent hung up", "caller": "the caller hung up", "nobody": "no call came about"}
    facts = [report.started_at.replace("T", " ")[:19], report.to, report.media.codec]
    facts += [f"{report.duration_s:.1f} s", ended[report.ended_by]]
    return element(
        "header",
        element("h1", report.script, pill),
        element("p", report.about, class_="about") if report.about else None,
        element("p", "  ·  ".join(fact for fact in facts if fact), class_="facts"),
    )


def _figures(report: CallReport) -> Markup:
    tiles = [
        _tile("Ringing after", report.invite_to_ringing_ms),
        _tile("Answered after", report.invite_to_answer_ms),
        _tile("Greeting heard after", report.answer_to_first_audio_ms),
        _tile("Reply latency, median", report.reply_latency_p50_ms, _at_most(report.reply_latency_max_ms)),
    ]
    if any(turn.action == "interrupt" for turn in report.turns):
        tiles.append(_tile("Silent after interruption", report.barge_in_silence_ms))
    gaps = len(report.gaps_ms_over_60) + len(report.holes)
    note = f"{report.media.loss_percent:.1f} % of packets lost"
    tiles.append(_tile("Gaps in the audio", None, note, text=str(gaps), bad=gaps > 0))
    return element("div", *tiles, class_="tiles")


def _at_most(latency_ms: float | None) -> str:
    return "" if latency_ms is None else f"at most {duration(latency_ms)}"


def _tile(name: str, value_ms: float | None, note: str = "", *, text: str = "", bad: bool = False) -> Markup:
    shown = text or ("–" if value_ms is None else duration(value_ms))
    return element(
        "div",
        element("div", name, class_="name"),
        element("div", shown, class_="value bad-ink" if bad else "value"),
        element("div", note, class_="note") if note else None,
        class_="tile",
    )


def _problems(report: CallReport) -> Markup | None:
    items = []
    for problem in report.problems:
        place = f"step {problem.step}" if problem.step else ""
        place += f", line {problem.line}" if problem.line else ""
        label = element(
            "span", f"  {place} at {problem.at_s:.1f} s" if place else f"  at {problem.at_s:.1f} s"
        )
        items.append(element("li", problem.text, label))
    noisy = report.pacing and (
        f"Latencies are approximate: the caller's own packets were up to {report.pacing.max_ms:.0f} ms late "
        f"({report.pacing.p99_ms:.1f} ms at the 99th percentile)."
    )
    return join(
        element("ol", *items, class_="problems") if items else None,
        element("p", noisy, class_="noisy") if report.noisy and noisy else None,
    )


def _legend(report: CallReport) -> Markup:
    entries = [("caller-key", "caller"), ("agent-key", "agent"), ("span-key", "time to the reply")]
    if any(turn.action == "interrupt" for turn in report.turns):
        entries.append(("overlap-key", "both at once"))
    if report.gaps_ms_over_60 or report.holes:
        entries.append(("gap-key", "gap in the agent's audio"))
    marks = [element("span", element("i", class_=kind), name) for kind, name in entries]
    return element("p", *marks, class_="legend")


def _table(headings: list[str], rows: list[list[object]], *, numeric: tuple[int, ...] = ()) -> Markup:
    def cell(name: str, index: int, content: object) -> Markup:
        return element(name, content, class_="number" if index in numeric else None)

    head = element("tr", *(cell("th", index, heading) for index, heading in enumerate(headings)))
    body = [element("tr", *(cell("td", index, content) for index, content in enumerate(row))) for row in rows]
    return element("div", element("table", head, *body), class_="scroll")


def _turns(report: CallReport) -> Markup:
    rows: list[list[object]] = []
    for number, turn in enumerate(report.turns, 1):
        start_s = turn.said_start_s if turn.said_start_s is not None else turn.heard_start_s
        latency = "–" if turn.reply_latency_ms is None else duration(turn.reply_latency_ms)
        at = "–" if start_s is None else f"{start_s:.1f} s"
        rows.append([number, at, _said(turn), turn.heard or "–", latency, _note(report, turn)])
    headings = ["", "At", "Caller", "Agent", "Reply after", ""]
    return _table(headings, rows, numeric=(0, 1, 4))


def _said(turn: Turn) -> Markup:
    if turn.action == "greeting":
        return element("em", "listens")
    if turn.action == "press":
        return join("presses ", element("kbd", turn.said))
    return join(turn.said)


def _note(report: CallReport, turn: Turn) -> str:
    notes = []
    if turn.action == "greeting" and report.greeting_complete is not None:
        notes.append(
            "heard from the first syllable" if report.greeting_complete else "does not begin as expected"
        )
    if turn.action == "interrupt":
        silence = turn.barge_in_silence_ms
        notes.append(
            "talks over the agent" + (f", silent after {silence:.0f} ms" if silence is not None else "")
        )
    if turn.repeated:
        notes.append("said again")
    if turn.reply_latency_ms is not None and turn.reply_latency_ms < 0:
        notes.append("the agent did not wait for the end")
    return "; ".join(notes)


def _steps(report: CallReport) -> Markup:
    rows: list[list[object]] = [
        [
            element("span", "✓", class_="tick-good") if step.ok else element("span", "✗", class_="tick-bad"),
            step.kind.replace("_", " "),
            join(
                step.text,
                element("div", step.detail, class_="bad-ink") if step.detail and not step.ok else None,
            ),
            f"{step.at_s:.1f} s",
        ]
        for step in report.steps
    ]
    return _table(["", "Step", "", "Done at"], rows, numeric=(3,))


def _sip(report: CallReport) -> Markup:
    rows: list[list[object]] = [
        [f"{step.at_s:.3f} s", "sent" if step.sent else "received", step.text] for step in report.sip
    ]
    media = report.media
    facts: list[list[object]] = [
        ["Call-ID", report.sip_call_id or "–"],
        ["Packets", f"{media.sent} sent, {media.received} received"],
        ["Lost on the way to the caller", f"{media.lost} ({media.loss_percent:.2f} %)"],
        ["Out of order, twice", f"{media.reordered}, {media.duplicates}"],
    ]
    if media.estimated_mos is not None:
        facts.append(["Listening quality by loss (E-model)", f"MOS {media.estimated_mos:.2f}"])
    if media.dropped_on_purpose:
        facts.append(["Dropped by the caller on purpose", str(media.dropped_on_purpose)])
    if report.pacing:
        late = f"{report.pacing.p50_ms:.1f} / {report.pacing.p99_ms:.1f} / {report.pacing.max_ms:.1f} ms"
        facts.append(["Own packets late, p50 / p99 / max", late])
    return join(_table(["At", "", "SIP"], rows, numeric=(0,)), _table(["Media", ""], facts))
