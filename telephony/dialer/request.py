"""What somebody asks for when they want a phone to ring: a plain value, before anything is decided.

Mirrors what livekit-server's ``CreateSIPParticipantRequest`` can be told of a call, and adds what only
the product knows: the assistant, what it is to know of this call, and what to do with a machine that
answers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """What the assistant does when something other than a person answers.

    Attributes:
        voicemail: leave a message after the beep, or hang up.
        message: what is left on a voicemail; None: the assistant's own words.
        screener: tell a call screener who calls and why, or hang up.
        purpose: what a screener is told; None: the assistant's own words.
        ivr: hang up on a menu of keys, or go on as with a person.
    """

    voicemail: Literal["leave_message", "hang_up"] = "hang_up"
    message: str | None = None
    screener: Literal["state_purpose", "hang_up"] = "state_purpose"
    purpose: str | None = None
    ivr: Literal["hang_up", "continue"] = "hang_up"


@dataclass(frozen=True, slots=True)
class DialRequest:
    """One phone that is to ring once.

    Attributes:
        to: whom to call, E.164.
        from_: the caller id; None: one of the trunk's numbers.
        from_pool: caller ids of which one is taken in place of ``from_``, evenly over all calls.
        trunk: an outbound trunk's name in the one file; None: the first one that is allowed.
        assistant: who talks; None: the line's default.
        data: what the assistant knows of this call, such as a name; JSON values.
        deadline: after which the phone must not begin to ring.
        ringing_timeout_s: how long it rings at most; None: what the one file says.
        max_call_duration_s: how long the call lasts at most; None: what the one file says.
        answer_policy: what to do with a machine that answers.
        metadata: the customer's own words, given back with the call; JSON values.
        batch_id: the batch that this is an attempt of.
        transfer_to: whom the assistant may hand the call to, E.164.
    """

    to: str
    from_: str | None = None
    trunk: str | None = None
    assistant: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    deadline: datetime | None = None
    ringing_timeout_s: float | None = None
    max_call_duration_s: float | None = None
    answer_policy: AnswerPolicy = field(default_factory=AnswerPolicy)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    batch_id: str | None = None
    transfer_to: str | None = None
    from_pool: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready object that ``from_json`` reads back; the deadline in UTC."""
        shape = asdict(self)
        shape["data"], shape["metadata"] = dict(self.data), dict(self.metadata)
        if self.from_pool:
            shape["from_pool"] = list(self.from_pool)
        else:
            # Left out, so that the same request stays the same to those who know no pool.
            del shape["from_pool"]
        shape["deadline"] = None if self.deadline is None else self.deadline.astimezone(UTC).isoformat()
        return shape

    def showing(self, call_id: str) -> DialRequest:
        """With one caller id in place of the pool: the same for the same call."""
        if not self.from_pool:
            return self
        return replace(self, from_=spread(call_id, self.from_pool), from_pool=())

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> DialRequest:
        """Read the shape of ``to_json`` back.

        Raises:
            ValueError: a field is missing or unknown, or the deadline is no instant.
        """
        values = dict(raw)
        try:
            deadline = values.pop("deadline", None)
            pool = tuple(values.pop("from_pool", ()))
            policy = AnswerPolicy(**(values.pop("answer_policy", None) or {}))
            return cls(
                **values,
                answer_policy=policy,
                from_pool=pool,
                deadline=None if deadline is None else datetime.fromisoformat(deadline),
            )
        except TypeError as error:
            raise ValueError(f"not a request for a call: {error}") from error


def one_or_pool(given: str | Sequence[str] | None) -> tuple[str | None, tuple[str, ...]]:
    """``from`` as people write it, a caller id or several, as ``from_`` and ``from_pool``."""
    if given is None or isinstance(given, str):
        return given, ()
    return None, tuple(given)


def spread(call_id: str, numbers: Sequence[str]) -> str:
    """One of our numbers, the same for the same call, evenly over all of them."""
    place = int.from_bytes(sha256(call_id.encode()).digest()[:4], "big")
    return numbers[place % len(numbers)]
