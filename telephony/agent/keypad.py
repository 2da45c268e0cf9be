"""Keys of the telephone, gathered into one input. Pure but for the clock it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle

PAUSE_S = 2.5
"""Without a further key for this long, what was pressed so far is the input."""
END_KEY = "#"
"""Ends an input of several keys, and is no part of it."""


class Keypad:
    """Gathers keys.

    Args:
        clock: for the pause that ends an input.
        expected: how many keys make one input at this moment.
        on_keys: called with each complete input.
        rules: the key that ends an input at this moment, and the pause in s that does.
    """

    def __init__(
        self,
        clock: Clock,
        expected: Callable[[], int],
        on_keys: Callable[[str], None],
        rules: Callable[[], tuple[str, float]] = lambda: (END_KEY, PAUSE_S),
    ) -> None:
        self._clock = clock
        self._expected = expected
        self._rules = rules
        self._on_keys = on_keys
        self._keys = ""
        self._timer: TimerHandle | None = None

    def press(self, key: str) -> None:
        """One key was pressed."""
        self._stop()
        end_key, pause_s = self._rules()
        if key == end_key and self._keys:
            self._done()
            return
        self._keys += key
        if len(self._keys) >= self._expected():
            self._done()
        else:
            self._timer = self._clock.call_later(pause_s, self._done)

    def close(self) -> None:
        """Forget what was pressed."""
        self._stop()
        self._keys = ""

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _done(self) -> None:
        keys, self._keys = self._keys, ""
        self._on_keys(keys)
