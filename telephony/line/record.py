"""What the line's own parts wrote down about a call, found by the SIP Call-ID that the phone used."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from telephony.spool import read_events

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.calls.events import Event

_POLL_S = 0.1


async def recorded_outcome(events: Path, sip_call_id: str, *, wait_s: float) -> str | None:
    """The outcome in the job's ``call.ended``, waiting for it a while; None when it does not come.

    Args:
        events: the line's folder of spooled events.
        sip_call_id: the Call-ID header of the INVITE, which the bridge's events carry.
        wait_s: how long the record may be behind the telephone.
    """
    deadline = time.monotonic() + wait_s
    while True:
        ended = [event for event in events_of(events, sip_call_id) if event.type == "call.ended"]
        outcome = next((event.data.get("outcome") for event in ended if event.source == "job"), None)
        if outcome or time.monotonic() > deadline:
            return outcome
        await asyncio.sleep(_POLL_S)


def events_of(events: Path, sip_call_id: str) -> list[Event]:
    """Every spooled event of one call, in the order of their times."""
    for path in sorted(events.glob("*.bridge.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True):
        of_bridge = list(read_events(path))
        if any(event.data.get("sip_call_id_full") == sip_call_id for event in of_bridge):
            of_job = read_events(path.with_name(path.name.replace(".bridge.", ".job.")))
            return sorted([*of_bridge, *of_job], key=lambda event: event.time)
    return []
