"""A call in one object: what the api shows, what ``call.ended`` carries, what an amendment changed.

Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.calls.cost import PriceTable, cost_of
from telephony.calls.ending import conclude
from telephony.calls.fields import collected, missing_fields
from telephony.calls.party import party
from telephony.calls.quality import with_estimates
from telephony.calls.record import instant
from telephony.calls.shapes import CallSummary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.calls.record import CallRecord

_STARTS = ("requested_at", "dialling_at", "invite_at", "ringing_at", "answered_at", "refused_at")

AMENDABLE = (
    "outcome",
    "answered_by",
    "ended_by",
    "code",
    "cause",
    "sip_status",
    "from",
    "to",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_s",
    "talk_s",
    "assistant",
    "quality",
    "fields",
    "missing_fields",
    "missing_events",
)
"""What a later account may still change; the cost stays what it was when the call closed."""


def parties(record: CallRecord) -> dict[str, dict[str, Any] | None]:
    """Both ends of the call, as ``telephony.calls.party`` reads them."""
    ends = {"from": record.value("from"), "to": record.value("to")}
    return {name: party(number).to_json() if number else None for name, number in ends.items()}


def started_at(record: CallRecord, otherwise: datetime) -> datetime:
    """When the call began: the request or the INVITE, or the first thing that is known of it."""
    known = [record.value(name) for name in _STARTS if record.value(name)]
    return datetime.fromisoformat(min(known)) if known else otherwise


def summarise(
    record: CallRecord, prices: PriceTable, *, first_seen: datetime, now: datetime
) -> dict[str, Any]:
    """The summary of a call that is over.

    Args:
        prices: what things cost at this moment.
        first_seen: when its first event was stored, for a call of which little else is known.
        now: taken for the end where nobody reported an instant.
    """
    end = conclude(record)
    began = min(started_at(record, first_seen), end.at or now)
    answered = record.value("answered_at") if end.outcome == "answered" else None
    ended = max(end.at or now, began)
    talk_s = max(0.0, (ended - datetime.fromisoformat(answered)).total_seconds()) if answered else 0.0
    ends = parties(record)
    far = ends["from" if record.direction == "inbound" else "to"]
    usage = record.value("usage") or []
    quality = record.value("quality")
    summary = CallSummary.model_validate(
        {
            "outcome": end.outcome,
            "answered_by": end.answered_by,
            "ended_by": end.ended_by,
            "code": end.code,
            "cause": end.cause,
            "sip_status": end.sip_status,
            "direction": record.direction,
            **ends,
            "started_at": began,
            "answered_at": answered,
            "ended_at": ended,
            "duration_s": round((ended - began).total_seconds(), 3),
            "talk_s": round(talk_s, 3),
            "assistant": record.value("assistant"),
            "quality": with_estimates(quality) if quality else None,
            "fields": collected(record) or None,
            "missing_fields": missing_fields(record) or None,
            "cost": cost_of(
                prices,
                usage,
                direction=record.direction,
                far_number=str((far or {}).get("e164") or ""),
                talk_s=talk_s,
            ),
            "missing_events": record.missing_events() or None,
        }
    )
    told: dict[str, Any] = summary.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told


def amendments(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What a summary says otherwise than the one before it; a name that is gone becomes None."""
    return {name: after.get(name) for name in AMENDABLE if before.get(name) != after.get(name)}


def timings(record: CallRecord) -> dict[str, str]:
    """Every instant of the call that is known, by name, in RFC 3339."""
    names = (*_STARTS, "permitted_at", "first_agent_audio_at", "first_caller_speech_at")
    known = {name: record.value(name) for name in names} | {"ended_at": (record.ended or {}).get("ended_at")}
    return {
        name: instant(datetime.fromisoformat(text).astimezone(UTC))
        for name, text in sorted(known.items(), key=lambda item: str(item[1]))
        if text
    }
