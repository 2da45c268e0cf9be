"""What was said on a call, in the order it was said, whoever reported it and when.

Pure. Reads the public form of events: ``seq``, ``type``, ``timestamp``, ``data``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def transcript(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The turns of a call: ``seq``, and the data of ``turn.completed``.

    Sorted by when each turn started; a turn of which that is unknown stands where it was reported.
    """
    turns = []
    for event in events:
        if event["type"] != "turn.completed":
            continue
        data = {"who": "unknown", "text": "", **event["data"]}
        began = datetime.fromisoformat(data.get("started_at") or event["timestamp"])
        turns.append((began, event["seq"], {"seq": event["seq"], **data}))
    return [turn for _, _, turn in sorted(turns, key=lambda entry: entry[:2])]


def as_text(turns: Iterable[Mapping[str, Any]]) -> str:
    """The transcript as lines ``caller: …`` and ``agent: …``; an interrupted turn ends in a dash."""
    return "\n".join(
        f"{turn['who']}: {turn['text']}{' —' if turn.get('interrupted') else ''}" for turn in turns
    )
