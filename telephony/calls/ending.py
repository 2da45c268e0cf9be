"""When a call may be taken for ended, and what its end was, by everything its witnesses said.

Pure. The conclusion is a function of the facts alone, not of the order they came in. Whose word
counts: of a leg that rang, the bridge's (it saw the messages); of why our own side hung up, the
job's; the reconciler and LiveKit's reasons where neither of them spoke.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import CAUSES, DEPARTURES, AnsweredBy, EndedBy, Outcome, sip_verdict
from telephony.calls.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.calls.record import CallRecord

REPORT_WAIT_S = 3.0
"""How long the other witnesses are waited for once one has reported the end."""

BRIDGE_WAIT_S = 10.0
"""How long the bridge is waited for where it has the call: a caller may still be there when a job is gone."""

DEPARTURE_WAIT_S = 8.0
"""How long a report is waited for once LiveKit says that the caller or the room is gone."""

_OURS = frozenset({EndedBy.AGENT, EndedBy.OPERATOR, EndedBy.LINE})


@dataclass(frozen=True, slots=True)
class End:
    """What the end of a call was; ``at`` is None when nobody knows the instant."""

    outcome: Outcome
    ended_by: EndedBy
    code: str
    cause: str
    sip_status: int | None
    answered_by: AnsweredBy | None
    at: datetime | None


def settle_delay(record: CallRecord) -> float | None:
    """How long to wait, from now, until the call is taken for ended.

    Returns:
        None while nothing says that it is over, 0 once every witness has reported, else seconds.
    """
    if record.state is State.ENDED:
        return None
    reported = {name.removeprefix("report.") for name in record.facts if name.startswith("report.")}
    if record.value("refusal"):
        reported.add("bridge")
    gone = any(name.startswith("gone.") for name in record.facts)
    if not reported and not gone:
        return None
    expected = {source for source in ("bridge", "job", "dialer") if source in record.seen}
    if was_answered(record):
        # Of a call that was taken its dialler has no more to say.
        expected = (expected | {"job"}) - {"dialer"}
    if reported and expected <= reported:
        # The dialler often knows before the first word of the bridge is here.
        is_early = record.value("dialling_at") and "bridge" not in record.seen
        return REPORT_WAIT_S if record.direction == "outbound" and is_early else 0.0
    if not reported:
        return DEPARTURE_WAIT_S
    return BRIDGE_WAIT_S if "bridge" in expected - reported else REPORT_WAIT_S


def was_answered(record: CallRecord) -> bool:
    """Whether the call was ever answered, by the best account of it."""
    answered = record.facts.get("answered_at")
    if answered and answered.source != "job":
        return True
    if record.value("refusal") or _status(record) >= 300:
        return False
    spoken = answered is not None
    return spoken or any(
        _report(record, source).get("outcome") == Outcome.ANSWERED for source in ("job", "dialer")
    )


def conclude(record: CallRecord) -> End:
    """What the end of the call was, as far as anybody said."""
    if was_answered(record):
        return _of_answered(record)
    if record.direction == "outbound":
        return _of_unanswered_outbound(record)
    return _of_unanswered_inbound(record)


def _of_answered(record: CallRecord) -> End:
    bridge, job = _report(record, "bridge"), _report(record, "job")
    if bridge and EndedBy(bridge.get("ended_by", "unknown")) not in _OURS:
        return _end(record, Outcome.ANSWERED, bridge, _hung_up(record, bridge))
    if (asked := _report(record, "dialer")).get("ended_by") == EndedBy.OPERATOR:
        # The line hung up because somebody asked for it.
        return _end(record, Outcome.ANSWERED, asked, "operator_ended")
    if bridge and (bridge.get("code") or bridge.get("ended_by") == EndedBy.LINE) and not _decided(job):
        return _end(record, Outcome.ANSWERED, _or_reconciler(record, bridge), "line_ended")
    if job:
        return _end(record, Outcome.ANSWERED, _corrected(record, job), _hung_up(record, job))
    for source in ("reconciler", "dispatcher", "dialer", "bridge"):
        if report := _report(record, source):
            return _end(record, Outcome.ANSWERED, report, _hung_up(record, report))
    return _end(record, Outcome.ANSWERED, {}, _departure_code(record))


def _of_unanswered_inbound(record: CallRecord) -> End:
    refusal = record.value("refusal")
    bridge, job = _report(record, "bridge"), _report(record, "job")
    if refusal:
        told = {
            "cause": refusal.get("sentence"),
            "sip_status": refusal.get("sip_status"),
            "at": refusal["at"],
        }
        return _end(record, Outcome.REFUSED_BY_US, told, "refused")
    if bridge.get("ended_by") == EndedBy.CALLER or bridge.get("sip_status") == 487:
        return _end(record, Outcome.ABANDONED, {**bridge, "ended_by": EndedBy.CALLER}, "abandoned")
    if bridge:
        return _end(record, _stated(bridge, Outcome.REFUSED_BY_US), bridge, "refused")
    if job.get("ended_by") == EndedBy.CALLER:
        return _end(record, Outcome.ABANDONED, {"at": job["at"]}, "abandoned")
    if report := job or _report(record, "reconciler") or _report(record, "dispatcher"):
        return _end(record, _stated(report, Outcome.FAILED), report, "vanished")
    code = _departure_code(record)
    if code == "caller_hung_up":
        return _end(record, Outcome.ABANDONED, {}, "abandoned")
    return _end(record, Outcome.UNKNOWN if code == "vanished" else Outcome.FAILED, {}, code)


def _of_unanswered_outbound(record: CallRecord) -> End:
    dialer = _report(record, "dialer")
    status = _status(record)
    if dialer.get("outcome"):
        return _end(record, Outcome(dialer["outcome"]), dialer, dialer.get("code", dialer["outcome"]))
    if status >= 300:
        verdict = sip_verdict(status)
        told = {"ended_by": verdict.ended_by, "cause": verdict.sentence, "sip_status": status}
        return _end(record, verdict.outcome, told, verdict.outcome)
    reason = _departure_reason(record)
    if reason in DEPARTURES:
        return _end(record, DEPARTURES[reason].unanswered, {}, DEPARTURES[reason].unanswered)
    for source in ("bridge", "job", "reconciler", "dispatcher"):
        if report := _report(record, source):
            return _end(record, _stated(report, Outcome.UNKNOWN), report, "vanished")
    return _end(record, Outcome.UNKNOWN, {}, "vanished")


def _end(record: CallRecord, outcome: Outcome, report: Mapping[str, Any], code: str) -> End:
    """Put an end together: the report's own words first, the table's where it is silent."""
    known = str(report.get("code") or code)
    table = CAUSES.get(known) or CAUSES.get(code) or CAUSES["vanished"]
    ended_by = EndedBy(report.get("ended_by") or table.ended_by)
    if record.direction == "outbound" and ended_by is EndedBy.CALLER:
        ended_by = EndedBy.CALLEE
    answered_by = record.value("answered_by") if outcome is Outcome.ANSWERED else None
    if answered_by is None and outcome is Outcome.ANSWERED and record.direction == "outbound":
        answered_by = AnsweredBy.UNKNOWN
    return End(
        outcome=outcome,
        ended_by=ended_by,
        code=known,
        cause=_sentence(str(report.get("cause") or table.sentence)),
        sip_status=report.get("sip_status") or _status(record) or None,
        answered_by=AnsweredBy(answered_by) if answered_by else None,
        at=_ended_at(record),
    )


def _sentence(text: str) -> str:
    """A source's words as a sentence: a capital at its start and a full stop at its end."""
    words = text.strip()
    words = words[:1].upper() + words[1:]
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."


def _or_reconciler(record: CallRecord, bridge: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our own side hung up and the job said nothing: whoever ended the room knows why."""
    if bridge.get("code"):
        return bridge
    return _report(record, "reconciler") or _report(record, "dispatcher") or bridge


def _corrected(record: CallRecord, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job sees a bridge or server that died as a caller who is gone: LiveKit's reason tells them apart."""
    if job.get("ended_by") not in (EndedBy.CALLER, EndedBy.LINE) or _report(record, "bridge"):
        return job
    code = _departure_code(record)
    if code in ("bridge_lost", "server_lost", "media_timeout"):
        return {"at": job["at"], "code": code}
    return job


def _hung_up(record: CallRecord, report: Mapping[str, Any]) -> str:
    ended_by = report.get("ended_by")
    if ended_by in (EndedBy.CALLER, EndedBy.CALLEE):
        return "callee_hung_up" if record.direction == "outbound" else "caller_hung_up"
    codes = {EndedBy.AGENT: "agent_finished", EndedBy.OPERATOR: "operator_ended", EndedBy.CARRIER: "carrier"}
    return codes.get(EndedBy(ended_by), "line_ended") if ended_by else "vanished"


def _decided(job: Mapping[str, Any]) -> bool:
    return job.get("ended_by") in _OURS


def _departure_reason(record: CallRecord) -> str:
    for source in ("livekit", "reconciler"):
        gone = record.value(f"gone.{source}")
        if gone and gone["reason"]:
            return str(gone["reason"])
    return ""


def _departure_code(record: CallRecord) -> str:
    reason = _departure_reason(record)
    if reason not in DEPARTURES:
        return "vanished"
    code = DEPARTURES[reason].answered_code
    if code == "caller_hung_up" and record.direction == "outbound":
        return "callee_hung_up"
    return code


def _report(record: CallRecord, source: str) -> dict[str, Any]:
    return record.value(f"report.{source}") or {}


def _stated(report: Mapping[str, Any], otherwise: Outcome) -> Outcome:
    outcome = report.get("outcome")
    return Outcome(outcome) if outcome and outcome != Outcome.ANSWERED else otherwise


def _status(record: CallRecord) -> int:
    for source in ("bridge", "dialer"):
        status = _report(record, source).get("sip_status")
        if status:
            return int(status)
    return 0


def _ended_at(record: CallRecord) -> datetime | None:
    names = [f"report.{source}" for source in ("bridge", "job", "dialer", "dispatcher")]
    names += ["refusal", "gone.livekit", "report.reconciler", "gone.reconciler"]
    for name in names:
        told = record.value(name)
        if told:
            return datetime.fromisoformat(told["at"])
    return None
