"""A finished call's figures, drawn from its phone, its ears and its conversation into the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from telephony.caller.measures import (
    Gap,
    arrival_gaps,
    between_ms,
    estimated_mos,
    first_audio_ms,
    percentile,
    reception,
    silent_holes,
)
from telephony.caller.report import NOISY_PACING_MS, CallReport, Media
from telephony.caller.script import ExpectStep
from telephony.caller.turns import complete_turns
from telephony.caller.words import begins_with

if TYPE_CHECKING:
    from telephony.caller.conversation import Conversation
    from telephony.caller.ears import Ears
    from telephony.caller.phone import Phone
    from telephony.caller.script import Script

_EVENT_PACKETS_S = 0.03


def complete_report(
    report: CallReport, phone: Phone, ears: Ears, conversation: Conversation, script: Script
) -> None:
    """Fill a report in; its script, address, outcome and problems are there already."""
    last_s = max((step.at_s for step in phone.sip), default=0.0)
    report.duration_s = max(phone.ended_s or 0.0, last_s)
    report.sip_call_id, report.sip = phone.sip_call_id, phone.sip
    report.ended_by = phone.ended_by or "nobody"
    report.cause = report.problems[-1].text if report.problems else phone.cause
    report.invite_to_ringing_ms = between_ms(0.0, phone.ringing_s)
    report.invite_to_answer_ms = between_ms(0.0, phone.answered_s)
    report.utterances = ears.utterances
    report.turns, report.steps = conversation.turns, conversation.steps
    report.digits = conversation.digits
    report.answer_to_first_audio_ms = first_audio_ms(phone.answered_s, ears.speeches)
    complete_turns(report.turns, report.utterances)
    report.greeting_complete = _greeting_complete(report, script)
    _summarise(report)
    _add_media(report, phone, ears)
    report.pacing = phone.pacing
    report.noisy = report.pacing is not None and report.pacing.p99_ms > NOISY_PACING_MS


def _greeting_complete(report: CallReport, script: Script) -> bool | None:
    """Judged by the first step that says how the agent begins, if nothing was said before it."""
    for step in script.steps:
        if isinstance(step, ExpectStep) and step.expect.begins:
            return any(begins_with(entry, report.turns[0].heard) for entry in step.expect.begins)
        if not isinstance(step, ExpectStep):
            break
    return None


def _summarise(report: CallReport) -> None:
    latencies = [turn.reply_latency_ms for turn in report.turns if turn.reply_latency_ms is not None]
    report.reply_latency_p50_ms = percentile(latencies, 0.5)
    report.reply_latency_max_ms = max(latencies, default=None)
    silences = [turn.barge_in_silence_ms for turn in report.turns if turn.barge_in_silence_ms is not None]
    report.barge_in_silence_ms = max(silences, default=None)


def _add_media(report: CallReport, phone: Phone, ears: Ears) -> None:
    track = ears.track
    counted = reception(track.packets, track.duplicates)
    report.media = Media(
        codec=phone.codec.name,
        sent=phone.packets_sent,
        received=counted.received,
        lost=counted.lost,
        loss_percent=100 * counted.loss_share,
        duplicates=counted.duplicates,
        reordered=counted.reordered,
        estimated_mos=estimated_mos(counted.loss_share) if counted.received else None,
        dropped_on_purpose=phone.packets_dropped,
    )
    gaps = arrival_gaps([packet.arrival_s for packet in track.packets])
    report.gaps_ms_over_60 = [
        {"at_s": gap.at_s, "ms": gap.duration_ms, "own_ms": _own_ms(gap, phone.mouth.stalls)} for gap in gaps
    ]
    report.stalls = [{"at_s": at_s, "ms": 1000 * late_s} for at_s, late_s in phone.mouth.stalls]
    holes: list[Gap] = []
    for utterance in report.utterances:
        samples = track.samples_between(utterance.start_s, utterance.end_s)
        holes += silent_holes(np.asarray(samples), start_s=utterance.start_s)
    report.holes = [{"at_s": hole.at_s, "ms": hole.duration_ms} for hole in holes]


def _own_ms(gap: Gap, stalls: list[tuple[float, float]]) -> float:
    """How late the caller's own clock ran during a gap: packets it could not read look like none."""
    until_s = gap.at_s + gap.duration_ms / 1000 + _EVENT_PACKETS_S
    return max((1000 * late_s for at_s, late_s in stalls if gap.at_s <= at_s <= until_s), default=0.0)
