"""While people talk: what ends a call that nobody hangs up.

Pure but for the clock. Guarantee: every call ends: when its agent is gone and nobody else can talk, when
no RTP comes, when livekit-server stays away, and at the latest when its longest duration is over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.bridge import ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.ending import Ending
    from telephony.bridge.people import People
    from telephony.clock import Clock, TimerHandle

MAX_DURATION_S = 24 * 3600.0
"""When neither trunk nor rule says, as with livekit-sip."""

REJOIN_S = 6.0
"""How long joining may take once livekit-server answers again: the SDK may take three to let go of its own
try."""

AGENT_BACK_S = 8.0
"""How long the agent may stay away after that: its SDK tries at pauses of up to seven seconds."""

AGENT_GRACE_S = 0.5
"""How long an agent may be away before the caller is let go: time for one agent to take over from another."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may last, in seconds."""

    media_initial_s: float = 30.0
    media_s: float = 15.0
    max_duration_s: float = MAX_DURATION_S
    server_loss_s: float = 10.0
    agent_grace_s: float = AGENT_GRACE_S
    agent_back_s: float = AGENT_BACK_S


class CallWatch:
    """Watches one answered call.

    Args:
        heard_at: clock time of the phone's last packet, or None before the first.
        on_ending: called at most once.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        *,
        heard_at: Callable[[], float | None],
        on_ending: Callable[[Ending], None],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._heard_at = heard_at
        self._on_ending = on_ending
        self._timers: dict[str, TimerHandle] = {}
        self._quiet_since = 0.0
        self._held = False
        self._server_lost = False
        self._server_until = math.inf
        self._done = False

    def start(self, people: People) -> None:
        """The call was answered now."""
        self._quiet_since = self._clock.now()
        self._after("duration", self._limits.max_duration_s, lambda: self._end(ending.MAX_DURATION))
        self._listen()
        self.people(people)

    def people(self, people: People) -> None:
        """Somebody came or left. While the server is away nobody can be seen, which says nothing."""
        if people.can_talk or self._server_lost:
            self._stop("agent")
        elif "agent" not in self._timers:
            self._after("agent", self._limits.agent_grace_s, lambda: self._end(ending.AGENT_LEFT))

    def held(self, is_held: bool) -> None:
        """The phone holds the call: it may be silent as long as it does."""
        self._held = is_held
        if not is_held:
            self._quiet_since = self._clock.now()

    def server_lost(self) -> None:
        """The connection to livekit-server is being mended."""
        self._server_lost = True
        self._stop("agent")
        if "server" not in self._timers:
            self._server_until = self._clock.now() + self._limits.server_loss_s
            self._after("server", self._limits.server_loss_s, lambda: self._end(ending.SERVER_LOST))

    def server_back(self, people: People) -> None:
        """It is whole again; whoever was there comes back in a while."""
        self._server_lost = False
        self._stop("server")
        if people.can_talk:
            self._stop("agent")
        else:
            self._after("agent", self._limits.agent_back_s, lambda: self._end(ending.AGENT_LOST))

    def server_seen(self) -> None:
        """livekit-server answers again, and is being joined: that may take longer than it may be away."""
        left = self._server_until - self._clock.now()
        if "server" in self._timers and left < REJOIN_S:
            self._after("server", REJOIN_S, lambda: self._end(ending.SERVER_LOST))
            self._server_until = math.inf

    def close(self) -> None:
        """Watch no more."""
        self._done = True
        for name in list(self._timers):
            self._stop(name)

    def _listen(self) -> None:
        heard = self._heard_at()
        limit = self._limits.media_initial_s if heard is None else self._limits.media_s
        quiet_since = max(self._quiet_since, heard or 0.0)
        left = quiet_since + limit - self._clock.now()
        if self._held:
            left = limit
        elif left <= 0:
            self._end(ending.MEDIA_TIMEOUT)
            return
        # Looked at again when it could be over; a first packet shortens the limit, hence at most ``media_s``.
        self._after("media", min(left, self._limits.media_s), self._listen)

    def _after(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        self._stop(name)
        if not self._done:
            self._timers[name] = self._clock.call_later(seconds, callback)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _end(self, how: Ending) -> None:
        if self._done:
            return
        self.close()
        self._on_ending(how)
