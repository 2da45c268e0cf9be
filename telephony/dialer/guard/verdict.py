"""What the guard is asked and what it says: every check by name, the setting behind it, a sentence, a fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from telephony.dialer.guard.rules import Limits


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Who asks.

    Attributes:
        key_id: the API key's id.
        in_force: known, not revoked, not expired.
        may_dial: whether it has the scope ``calls:dial``.
        limits: its own caps; they can only lower those of the file.
    """

    key_id: str
    in_force: bool = False
    may_dial: bool = False
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call as far as the guard looks at it.

    Attributes:
        to: whom to call, in any spelling.
        from_: the caller id; None: any of the trunk's.
        trunk: a trunk's name; None: the file's choice.
        key: who asks; None: nobody is named, which only ``guard explain`` may do.
        ringing_timeout_s, max_call_duration_s: as asked; None: the file's.
        transfer_to: whom the call may be handed to; None: nobody that the request names.
    """

    to: str
    from_: str | None = None
    trunk: str | None = None
    key: KeyFacts | None = None
    ringing_timeout_s: float | None = None
    max_call_duration_s: float | None = None
    transfer_to: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: such as ``country``; stays the same from version to version.
        passed: whether the call may go on as far as this is concerned.
        setting: the path in the operator's file that decides it, such as ``outbound.allowed_regions``.
        sentence: what was found, with numbers masked.
        fix: what to change; empty where it passed or nothing can be.
        transient: whether the same request may pass later without any change.
        retry_at: when it passes at the earliest, where that is known.
    """

    name: str
    passed: bool
    setting: str
    sentence: str
    fix: str = ""
    transient: bool = False
    retry_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "name": self.name,
            "passed": self.passed,
            "setting": self.setting,
            "sentence": self.sentence,
            "fix": self.fix or None,
            "transient": self.transient,
            "retry_at": self.retry_at.isoformat() if self.retry_at else None,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one call may be dialled now.

    Attributes:
        allowed: whether every check passed.
        checks: all of them, in order.
        number: what is to be dialled, in E.164; as written where it is no number.
        notes: what was read into the number, in sentences.
        refusal: the check that decided against it: the first one that time does not mend, else the first.
        waiting_for: checks that did not pass and do not refuse, because the call may wait for a line.
        trunk: the trunk to dial by; None where there is none.
        caller_ids: the numbers that may be shown, as the file writes them.
        ringing_timeout_s, max_call_duration_s: what was asked for, within the file's limits.
        price_micros: of a minute, in millionths of the price table's currency; None: not known.
        increment_s: what a duration is rounded up to by the carrier.
    """

    allowed: bool
    checks: tuple[Check, ...]
    number: str
    notes: tuple[str, ...] = ()
    refusal: Check | None = None
    waiting_for: tuple[Check, ...] = ()
    trunk: str | None = None
    caller_ids: tuple[str, ...] = field(default=())
    ringing_timeout_s: float = 30.0
    max_call_duration_s: float = 600.0
    price_micros: int | None = None
    increment_s: int = 60

    @property
    def transient(self) -> bool:
        """Whether the same request may pass later without any change."""
        return not self.allowed and all(check.transient for check in self.checks if not check.passed)

    @property
    def retry_at(self) -> datetime | None:
        """When to ask again; None where that is not known, or would never help."""
        if not self.transient:
            return None
        instants = [check.retry_at for check in self.checks if not check.passed and check.retry_at]
        return max(instants, default=None)

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "allowed": self.allowed,
            "number": self.number,
            "notes": list(self.notes),
            "refusal": self.refusal.name if self.refusal else None,
            "waiting_for": [check.name for check in self.waiting_for],
            "transient": self.transient,
            "retry_at": self.retry_at.isoformat() if self.retry_at else None,
            "trunk": self.trunk,
            "caller_ids": list(self.caller_ids),
            "ringing_timeout_s": self.ringing_timeout_s,
            "max_call_duration_s": self.max_call_duration_s,
            "price_per_minute": None if self.price_micros is None else self.price_micros / 1e6,
            "checks": [check.to_json() for check in self.checks],
        }
