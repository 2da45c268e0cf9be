"""Calls whose job died together with its worker, so that nobody was left to see it die.

Each job notes itself in a file when it begins and takes the note away when it ends as it should. A worker
that starts finds the notes of processes that are gone and sends for other jobs (``watchdog``), instead of
leaving their callers to the twenty seconds after which livekit-server misses a participant. Guarantee: a
note is taken by one worker only, and one of a process that lives by none.
"""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit.protocol import agent as wire

from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = get_logger(__name__)

_ENDING = ".job"


def note(folder: Path, job: wire.Job) -> None:
    """Note that this process has a job; a disk that is full costs the call nothing."""
    path = folder / f"{job.id}{_ENDING}"
    text = json.dumps({"pid": os.getpid(), "job": base64.b64encode(job.SerializeToString()).decode()})
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        log.warning("job_not_noted", reason=error.strerror)


def settle(folder: Path, job_id: str) -> None:
    """The job has ended as it should, or somebody else has seen its death."""
    (folder / f"{job_id}{_ENDING}").unlink(missing_ok=True)


def adopt(folder: Path) -> Iterator[wire.Job]:
    """Take over the jobs of processes that are gone; each is given once, to one worker of the machine."""
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            content = json.loads(path.read_text())
            job = wire.Job.FromString(base64.b64decode(content["job"], validate=True))
            if _lives(int(content["pid"])):
                continue
            # Whoever removes it has it.
            path.unlink()
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, DecodeError) as error:
            log.warning("note_not_read", reason=type(error).__name__)
            path.unlink(missing_ok=True)
            continue
        log.info("orphan_found", job_id=job.id)
        yield job


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
