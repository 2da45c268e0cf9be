"""The picture of a call as SVG: waveforms, bubbles, latencies, interruptions, SIP messages, keys. Pure.

Colours come from the style sheet of the page by class, so one drawing serves light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.caller.markup import Markup, element, join
from telephony.caller.timeline import (
    LINE,
    PADDING,
    PIXELS_PER_S,
    ROW_S,
    Bubble,
    Row,
    Spoken,
    place_bubbles,
    split_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from telephony.caller.report import CallReport, Turn

_RATE = 8000
_LABELS = 72.0
"""Width of the column with the names of the lanes."""
_RULER = 36.0
_WAVE = 46.0
_MIDDLE = 34.0
_BETWEEN_ROWS = 22.0
_SAME_LABEL_S = 1.6
"""SIP messages closer than this share one label."""


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Vertical places of one row, in pixels."""

    caller: float
    middle: float
    agent: float
    bottom: float


def draw_call(report: CallReport, caller: NDArray[np.int16], agent: NDArray[np.int16]) -> Markup:
    """The whole picture.

    Args:
        report: what happened, with times since the INVITE.
        caller: what the caller sent, 8 kHz, sample 0 at the INVITE.
        agent: what the caller heard, likewise.
    """
    said, heard = _spoken_by_caller(report), _spoken_by_agent(report)
    rows = split_rows(report.duration_s, [(item.start_s, item.end_s) for item in (*said, *heard)])
    scales = [_scale(caller), _scale(agent)]
    parts: list[Markup] = []
    y = 4.0
    for row in rows:
        above, below = place_bubbles(row, said), place_bubbles(row, heard)
        lanes = _lanes(above, below)
        drawn = _draw_row(report, row, lanes, above, below, (caller, agent), scales)
        parts.append(element("g", drawn, transform=f"translate({_LABELS:.0f} {y:.1f})"))
        y += lanes.bottom + _BETWEEN_ROWS
    height = y - _BETWEEN_ROWS + 6
    width = _LABELS + max(ROW_S * PIXELS_PER_S, *(row.width for row in rows)) + 8
    title = element("title", f"Timeline of the call, {report.duration_s:.1f} seconds")
    return element(
        "svg", title, *parts, viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", class_="timeline"
    )


def _spoken_by_caller(report: CallReport) -> list[Spoken]:
    return [
        Spoken(
            turn.said_start_s,
            turn.said_end_s or turn.said_start_s,
            turn.said,
            note=_interruption(turn) if turn.action == "interrupt" else "",
            marked=turn.action == "interrupt",
        )
        for turn in report.turns
        if turn.said_start_s is not None and turn.action in ("say", "interrupt")
    ]


def _interruption(turn: Turn) -> str:
    if turn.barge_in_silence_ms is None:
        return "interrupts"
    return f"interrupts, agent silent after {turn.barge_in_silence_ms:.0f} ms"


def _spoken_by_agent(report: CallReport) -> list[Spoken]:
    onsets = [turn.said_start_s for turn in report.turns if turn.action == "interrupt" and turn.said_start_s]
    spoken = []
    for item in report.utterances:
        cut = any(item.start_s <= onset_s <= item.end_s for onset_s in onsets)
        text = f"{item.text} –" if cut and item.text else item.text or ""
        spoken.append(Spoken(item.start_s, item.end_s, text, marked=cut))
    return spoken


def _lanes(above: Sequence[Bubble], below: Sequence[Bubble]) -> _Lanes:
    caller = _RULER + max((bubble.height + 6 for bubble in above), default=0.0)
    middle = caller + _WAVE
    agent = middle + _MIDDLE
    bottom = agent + _WAVE + max((bubble.height + 6 for bubble in below), default=0.0)
    return _Lanes(caller, middle, agent, bottom)


def _draw_row(
    report: CallReport,
    row: Row,
    lanes: _Lanes,
    above: Sequence[Bubble],
    below: Sequence[Bubble],
    tracks: tuple[NDArray[np.int16], NDArray[np.int16]],
    scales: Sequence[float],
) -> Markup:
    return join(
        _ruler(row, lanes),
        *_interruptions(report, row, lanes),
        _lane(row, lanes.caller, "Caller", "caller", tracks[0], scales[0]),
        _lane(row, lanes.agent, "Agent", "agent", tracks[1], scales[1]),
        *(_bubble(bubble, lanes.caller - 6 - bubble.height, "caller", lanes.caller) for bubble in above),
        *(_bubble(bubble, lanes.agent + _WAVE + 6, "agent", lanes.agent + _WAVE) for bubble in below),
        *_latencies(report, row, lanes),
        *_sip(report, row, lanes),
        *_keys(report, row, lanes),
        *_gaps(report, row, lanes),
        *_problems(report, row, lanes),
    )


def _ruler(row: Row, lanes: _Lanes) -> Markup:
    marks = []
    for second in range(int(row.start_s) + 1, int(row.end_s) + 1):
        x = row.x(float(second))
        marks.append(_line(x, _RULER - 6, x, lanes.bottom, "grid"))
        if second % 5 == 0:
            marks.append(element("text", f"{second} s", x=x, y=_RULER - 10, class_="tick"))
    return join(_line(0, _RULER - 6, row.width, _RULER - 6, "axis"), *marks)


def _lane(row: Row, top: float, name: str, side: str, samples: NDArray[np.int16], scale: float) -> Markup:
    axis = top + _WAVE / 2
    return join(
        element("text", name, x=-_LABELS + 4, y=axis + 5, class_=f"lane {side}-ink"),
        _line(0, axis, row.width, axis, f"{side}-axis"),
        element("path", d=_wave(row, axis, samples, scale), class_=f"wave {side}-wave"),
    )


def _scale(samples: NDArray[np.int16]) -> float:
    """Pixels for full scale: the loudest hundredth of a lane's sound fills it."""
    loud = np.abs(samples[samples != 0].astype(np.float64))
    peak = float(np.percentile(loud, 99.0)) if loud.size else 0.0
    return (_WAVE / 2 - 2) / max(peak, 500.0)


def _wave(row: Row, axis: float, samples: NDArray[np.int16], scale: float) -> str:
    """One vertical stroke for each pixel that has sound."""
    columns = int(row.width)
    edges = (np.linspace(row.start_s, row.end_s, columns + 1) * _RATE).astype(int)
    strokes = []
    for column in range(columns):
        piece = samples[edges[column] : edges[column + 1]]
        height = float(np.abs(piece.astype(np.int32)).max()) * scale if piece.size else 0.0
        if height >= 0.6:
            height = min(height, _WAVE / 2)
            strokes.append(f"M{column} {axis - height:.1f}v{2 * height:.1f}")
    return "".join(strokes)


def _bubble(bubble: Bubble, y: float, side: str, edge: float) -> Markup:
    spoken = bubble.spoken
    kinds = ["words"] * len(bubble.lines) + ["interruption"] * len(bubble.notes)
    lines = [
        element("text", line, x=bubble.x + PADDING, y=y + 5 + LINE * (index + 0.72), class_=kind)
        for index, (line, kind) in enumerate(zip((*bubble.lines, *bubble.notes), kinds, strict=True))
    ]
    kind = f"bubble {side}-bubble" + (" marked" if spoken.marked else "")
    box = element("rect", x=bubble.x, y=y, width=bubble.width, height=bubble.height, rx=7, class_=kind)
    tail = _line(
        bubble.x + 10, edge, bubble.x + 10, y if y > edge else y + bubble.height, f"tail {side}-tail"
    )
    return join(tail, box, *lines)


def _latencies(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    spans = [
        (turn.said_end_s, turn.heard_start_s, turn.reply_latency_ms)
        for turn in report.turns
        if turn.said_end_s is not None
        and turn.heard_start_s is not None
        and turn.reply_latency_ms is not None
    ]
    answered = next((step.at_s for step in report.sip if not step.sent and step.text.startswith("200")), None)
    if answered is not None and report.answer_to_first_audio_ms is not None:
        spans.append(
            (answered, answered + report.answer_to_first_audio_ms / 1000, report.answer_to_first_audio_ms)
        )
    drawn = []
    for start_s, end_s, latency_ms in spans:
        if latency_ms < 0 or not row.holds(start_s):
            continue
        left, right = row.x(start_s), row.x(end_s)
        y = lanes.middle + _MIDDLE / 2
        drawn.append(element("path", d=f"M{left:.1f} {y - 5}v10M{right:.1f} {y - 5}v10", class_="span"))
        drawn.append(_line(left, y, right, y, "span"))
        text = f"{latency_ms / 1000:.2f} s"
        if right - left > 52:
            drawn.append(
                element("rect", x=(left + right) / 2 - 20, y=y - 8, width=40, height=16, class_="plate")
            )
            drawn.append(element("text", text, x=(left + right) / 2, y=y + 4, class_="latency"))
        elif right + 48 < ROW_S * PIXELS_PER_S:
            drawn.append(element("text", text, x=right + 5, y=y + 4, class_="latency after"))
        else:
            drawn.append(element("text", text, x=left - 5, y=y + 4, class_="latency before"))
    return drawn


def _interruptions(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    drawn = []
    for turn in report.turns:
        if turn.action != "interrupt" or turn.said_start_s is None or not row.holds(turn.said_start_s):
            continue
        left = right = row.x(turn.said_start_s)
        if turn.barge_in_silence_ms is not None:
            right = row.x(turn.said_start_s + turn.barge_in_silence_ms / 1000)
        top, height = lanes.caller - 3, lanes.agent + _WAVE + 3 - (lanes.caller - 3)
        width = max(2.0, right - left)
        drawn.append(element("rect", x=left, y=top, width=width, height=height, class_="overlap"))
    return drawn


def _sip(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    """Each message a line across the row; those close together share one label."""
    steps = [
        step for step in report.sip if row.holds(step.at_s) or (step.at_s >= row.end_s >= report.duration_s)
    ]
    drawn = [
        _line(row.x(step.at_s), _RULER - 6, row.x(step.at_s), lanes.bottom, "sip-line") for step in steps
    ]
    groups: list[list[tuple[float, str]]] = []
    for step in steps:
        if groups and step.at_s - groups[-1][0][0] < _SAME_LABEL_S:
            groups[-1].append((step.at_s, step.text))
        else:
            groups.append([(step.at_s, step.text)])
    for group in groups:
        texts = list(dict.fromkeys(text for _, text in group))
        x = row.x(group[0][0])
        late = x > row.width - 150
        position = {"x": min(x + 4, row.width), "text_anchor": "end"} if late else {"x": x}
        drawn.append(element("text", "  →  ".join(texts), y=12, class_="sip", **position))
    return drawn


def _keys(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    drawn = []
    for pressed in report.digits:
        if not row.holds(pressed["at_s"]):
            continue
        x, y = row.x(pressed["at_s"]), lanes.caller + _WAVE / 2 - 13
        width = 14.0 + 12.0 * len(pressed["digits"])
        drawn.append(element("rect", x=x, y=y, width=width, height=26, rx=5, class_="key"))
        drawn.append(element("text", pressed["digits"], x=x + width / 2, y=y + 18, class_="digit"))
        drawn.append(element("text", "key", x=x + width + 5, y=y + 18, class_="key-name"))
    return drawn


def _gaps(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    return [
        element(
            "rect",
            x=row.x(gap["at_s"]),
            y=lanes.agent,
            width=max(2.0, gap["ms"] / 1000 * PIXELS_PER_S),
            height=_WAVE,
            class_="gap",
        )
        for gap in (*report.gaps_ms_over_60, *report.holes)
        if row.holds(gap["at_s"])
    ]


def _problems(report: CallReport, row: Row, lanes: _Lanes) -> list[Markup]:
    drawn = []
    for number, problem in enumerate(report.problems, 1):
        at_s = min(problem.at_s, report.duration_s - 0.001)
        if not row.holds(at_s):
            continue
        x, y = row.x(at_s), lanes.middle + _MIDDLE / 2
        drawn.append(element("circle", cx=x, cy=y, r=10, class_="problem-mark"))
        drawn.append(element("text", number, x=x, y=y + 4.5, class_="problem-number"))
    return drawn


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)
