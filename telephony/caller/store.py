"""A call on disk: report.json, report.html and call.wav (left the caller, right the agent)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from telephony.audio.frame import RATE
from telephony.audio.wav import write_wav
from telephony.caller.page import render_page

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.caller.report import CallReport


def write_report(report: CallReport, recordings: tuple[Samples, Samples], directory: Path) -> None:
    """Write the three files, over those of an earlier call.

    Args:
        report: what happened.
        recordings: what the caller sent and what it heard, 8 kHz, sample 0 at the INVITE.
        directory: made if it does not exist.

    Raises:
        OSError: the directory cannot be written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), ensure_ascii=False, indent=2)
    (directory / "report.json").write_text(text + "\n", encoding="utf-8")
    write_wav(directory / "call.wav", recordings, RATE)
    (directory / "report.html").write_text(render_page(report, *recordings), encoding="utf-8")
