"""What was said in a call so far, kept for the job that takes over when this one dies.

One file a job, private, written whole at each turn and removed when the job ends as it should: what is
left belongs to a job that died. It holds the history as livekit-agents has it, keys and tools' answers
included, so that a flow comes to the same state and a language model reads the same conversation.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from telephony.calls import job_attributes
from telephony.logs import get_logger
from telephony.speech.dialogue_llm import DialogueLlm

if TYPE_CHECKING:
    from pathlib import Path

    from livekit.agents import AgentSession
    from livekit.protocol import agent

log = get_logger(__name__)

KEPT_S = 3600.0
"""How long the journal of a dead job may be of use."""

_JOB_ID = re.compile(r"^AJ_[0-9A-Za-z]{6,64}\Z")


class Journal:
    """One job's journal.

    Args:
        folder: where journals lie.
        job_id: as livekit-agents knows the job.
    """

    def __init__(self, folder: Path, job_id: str) -> None:
        self._path = folder / f"{job_id}.json" if _JOB_ID.match(job_id) else None
        self._failed = False

    def follow(self, session: AgentSession[Any]) -> None:
        """Write the history down whenever it has grown."""
        session.on("conversation_item_added", lambda _: self.write(session.history))
        session.on("function_tools_executed", lambda _: self.write(session.history))

    def write(self, history: llm.ChatContext) -> None:
        """Write it down; a full disk is said once and costs the call nothing."""
        if self._path is None:
            return
        text = json.dumps(history.to_dict(exclude_image=True, exclude_audio=True))
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            draft.replace(self._path)
        except OSError as error:
            if not self._failed:
                log.error("journal_not_written", reason=error.strerror)
            self._failed = True

    def read(self) -> llm.ChatContext | None:
        """What was said before; None where there is nothing that can be read."""
        try:
            if self._path is None or not self._path.exists():
                return None
            return llm.ChatContext.from_dict(json.loads(self._path.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("journal_not_read", reason=type(error).__name__)
            return None

    def remove(self) -> None:
        """The job has ended as it should, or its successor has read all."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def resumed_job(job: agent.Job) -> str:
    """The job from which this one takes over; empty where it begins a call."""
    return job.attributes.get(job_attributes.RESUME, "")


def take_over(
    folder: Path, job: agent.Job, journal: Journal, session: AgentSession[Any]
) -> llm.ChatContext | None:
    """Have a session go on where the job before it stopped.

    Args:
        folder: where journals lie.
        journal: of this job.
        session: not started yet.

    Returns:
        What was said before; None where the call begins with this job.
    """
    predecessor = resumed_job(job)
    if not predecessor:
        return None
    old = Journal(folder, predecessor)
    history = old.read()
    log.info("call_taken_over", from_job=predecessor, items=len(history.items) if history else 0)
    said = history if history is not None and history.items else None
    if said is not None:
        session.history.items.extend(said.items)
        if isinstance(session.llm, DialogueLlm):
            session.llm.expect_after(said)
        journal.write(said)
    old.remove()
    return said


def sweep(folder: Path) -> None:
    """Remove what dead jobs have left and nobody took over."""
    for path in folder.glob("*.json"):
        if time.time() - path.stat().st_mtime > KEPT_S:
            path.unlink(missing_ok=True)
