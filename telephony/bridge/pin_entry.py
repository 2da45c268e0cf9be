"""One try at a PIN: keys until ``#``, or sixteen of them, or until the caller stops pressing.

Pure but for the clock. Guarantee: exactly one result within the time-out after the last key; the keys are
kept nowhere else and never logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.sip.outcome import Outcome

if TYPE_CHECKING:
    from telephony.clock import Clock, TimerHandle

MOST_KEYS = 16
"""As with livekit-sip."""

_END = "#"
_START_AGAIN = "*"


class PinEntry:
    """What one caller enters.

    Args:
        timeout_s: from the beginning, and from each key on.

    Attributes:
        result: the keys before ``#``, which may be none; None where nothing was pressed in time.
    """

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self.result: Outcome[str | None] = Outcome()
        self._clock = clock
        self._timeout_s = timeout_s
        self._keys = ""
        self._timer: TimerHandle | None = None
        self._wait()

    @property
    def begun(self) -> bool:
        """Whether a key was pressed: whoever presses wants no prompt any more."""
        return bool(self._keys) or self.result.done

    def press(self, key: str) -> None:
        """Take a key; those after the end are dropped."""
        if self.result.done:
            return
        if key == _END:
            self._finish(self._keys)
            return
        self._keys = "" if key == _START_AGAIN else self._keys + key
        if len(self._keys) >= MOST_KEYS:
            self._finish(self._keys)
        else:
            self._wait()

    def close(self) -> None:
        """Wait for no more keys."""
        self._finish(None)

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(self._timeout_s, lambda: self._finish(self._keys or None))

    def _finish(self, keys: str | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._keys = ""
        self.result.set(keys)
