"""What the agent said to what: the caller's actions and the agent's utterances as turns. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.caller.activity import Speech
from telephony.caller.measures import between_ms, reply_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.caller.report import HeardUtterance, Turn


def complete_turns(turns: Sequence[Turn], utterances: Sequence[HeardUtterance]) -> None:
    """Fill in what was heard in each turn, and its latency.

    An utterance belongs to the last action that had begun before it. What an interruption talked over
    therefore stays with the turn before, and an answer that comes too early with the line it cuts short.

    Args:
        turns: in order, the greeting first; only what the caller did is filled in.
        utterances: of the agent, in order.
    """
    speeches = [Speech(item.start_s, item.end_s) for item in utterances]
    for index, turn in enumerate(turns):
        start_s = _began(turn)
        until_s = _began(turns[index + 1]) if index + 1 < len(turns) else float("inf")
        heard = [item for item in utterances if start_s < item.start_s <= until_s]
        turn.heard = " ".join(item.text for item in heard if item.text)
        turn.heard_start_s = heard[0].start_s if heard else None
        turn.heard_end_s = heard[-1].end_s if heard else None
        if turn.said_start_s is None or turn.said_end_s is None:
            continue
        reply = reply_to(turn.said_start_s, turn.said_end_s, speeches)
        if reply is not None and reply.start_s <= until_s:
            turn.heard_start_s = reply.start_s
            turn.reply_latency_ms = between_ms(turn.said_end_s, reply.start_s)


def _began(turn: Turn) -> float:
    return float("-inf") if turn.said_start_s is None else turn.said_start_s
