"""What a job is told of a call that is dialled, in its dispatch metadata. Pure.

``{"direction": "outbound", "call_id": …, "dial": {"answer_policy": {…}, …}}``; ``direction`` alone makes a
call a dialled one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.assistants.answering import AnsweringSettings
    from telephony.assistants.schema import Assistant

log = get_logger(__name__)


def told_of(job_metadata: str) -> dict[str, Any]:
    """The metadata as an object; empty where it is none."""
    try:
        told = json.loads(job_metadata or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def dials_out(job_metadata: str) -> bool:
    """Whether a job's metadata says that its call is dialled."""
    return told_of(job_metadata).get("direction") == "outbound"


def answering_of(job_metadata: str, assistant: Assistant) -> AnsweringSettings | None:
    """What to do about whoever answers: the assistant's settings as this call has them; None inbound."""
    if not dials_out(job_metadata):
        return None
    dial = told_of(job_metadata).get("dial")
    settings, unreadable = assistant.answering.told(dial if isinstance(dial, dict) else {})
    if unreadable:
        log.warning("answer_policy_ignored", fields=unreadable)
    return settings


def presses_keys(job_metadata: str) -> bool:
    """Whether the bridge presses keys at the answer, after which alone there is somebody to talk to."""
    dial = told_of(job_metadata).get("dial")
    return isinstance(dial, dict) and bool(dial.get("dtmf"))
