"""A speech-to-speech model that answers in time: deadlines for its first sound and for each further one.

Looks at the events of OpenAI's realtime API, which livekit-agents gives as they are. A model that is late is
told of, so that the caller hears a filler; one that goes on keeping silent is connected to anew, or replaced
by the one that stands in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from telephony.logs import get_logger
from telephony.speech.guard.rota import reason_of
from telephony.speech.guard.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents import llm

    from telephony.clock import Clock, TimerHandle
    from telephony.speech.guard.trouble import Tell, TroubleKind
    from telephony.speech.settings import DeadlineSettings

log = get_logger(__name__)

WORTH_S = 0.8
"""Shorter speech may well be no word to the model."""
MOST_RESTARTS = 3
"""Connections in a row that brought no sound; after these the model is given up."""
PAUSE_S = 1.0
"""Before a connection that was refused is tried again."""
RESTART_S = 2.0
"""Longest wait for a new connection; it may still come after that."""
_SOUND: Final = frozenset(
    {
        "response.output_audio.delta",
        "response.audio.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    }
)
_HARMLESS: Final = frozenset(
    {
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "input_audio_buffer_commit_empty",
    }
)
"""What is said where two events cross each other; nothing is wrong."""


class RealtimeGuard:
    """Watches the model of one call.

    Args:
        clock: for the deadlines.
        deadlines: how long it may take.
        restart: connects anew, to the next model where there is one.
        others: whether there is one.

    Attributes:
        tell: told of whatever goes wrong.
        unanswered: called where a turn of the caller's will not be answered any more.
        lost: told why no model can serve the call any more, once.
    """

    def __init__(
        self,
        clock: Clock,
        deadlines: DeadlineSettings,
        *,
        restart: Callable[[], Awaitable[None]],
        others: bool,
    ) -> None:
        self.tell: Tell = lambda _: None
        self.unanswered: Callable[[], None] = lambda: None
        self.lost: Callable[[str], None] = lambda _: None
        self._clock = clock
        self._first_s = deadlines.realtime_first_audio_ms / 1000
        self._next_s = deadlines.realtime_next_audio_ms / 1000
        self._restart = restart
        self._others = others
        self._name = ""
        self._first_name = ""
        self._timer: TimerHandle | None = None
        self._began_at: float | None = None
        self._seen_at = float("-inf")
        self._restarts = 0
        self._task: asyncio.Task[None] | None = None
        self._once_more = False
        self._closed = False

    def follow(self, session: llm.RealtimeSession[Any]) -> None:
        """Watch a session; before the caller can be heard."""
        session.on("openai_server_event_received", self.server_said)
        session.on("openai_client_event_queued", self.client_said)
        session.on("error", self._failed)

    def speech_began(self) -> None:
        """The caller was heard to speak, by the line's own detector."""
        if self._began_at is None:
            self._began_at = self._clock.now()

    def speech_ended(self) -> None:
        """The caller was heard to stop: a model that noticed nothing of it is not there any more."""
        began_at, self._began_at = self._began_at, None
        if began_at is None or self._clock.now() - began_at < WORTH_S:
            return
        if self._seen_at < began_at and self._timer is None:
            self._await(self._first_s, self._late)

    def close(self) -> None:
        """The call is over; harmless when repeated."""
        self._closed = True
        self._stop()
        if self._task is not None:
            self._task.cancel()

    def serves(self, name: str) -> None:
        """A session with a model begins, such as ``openai/gpt-realtime``."""
        before, self._name = self._name, name
        self._first_name = self._first_name or name
        if before and before != name:
            self._tell("returned" if name == self._first_name else "switched")

    # What is seen

    def server_said(self, event: dict[str, Any]) -> None:
        """One event of the model's."""
        self._seen_at = self._clock.now()
        kind = event.get("type", "")
        if kind in _SOUND:
            self._restarts = 0
            self._await(self._next_s, self._broke_off)
        elif kind == "input_audio_buffer.speech_stopped":
            self._await(self._first_s, self._late)
        elif kind == "input_audio_buffer.speech_started":
            self._stop()
        elif kind == "response.done":
            self._stop()
            response = event.get("response") or {}
            if response.get("status") == "failed":
                error = (response.get("status_details") or {}).get("error") or {}
                self._refused(str(error.get("code") or error.get("type") or "it failed"))
        elif kind == "error":
            error = event.get("error") or {}
            code = str(error.get("code") or error.get("type") or "error")
            if code not in _HARMLESS:
                log.info("realtime_error", code=code)

    def client_said(self, event: dict[str, Any]) -> None:
        """One event of ours."""
        kind = event.get("type", "")
        if kind == "response.create":
            self._await(self._first_s, self._late)
        elif kind == "response.cancel":
            self._stop()

    def _failed(self, error: llm.RealtimeModelError) -> None:
        self._tell("failed", reason_of(error.error))
        if not error.recoverable:
            awaited = self._timer is not None
            self._stop()
            self._tell("exhausted")
            self._again(PAUSE_S, unanswered=awaited)

    # What is done about it

    def _late(self) -> None:
        self._tell("late", "no sound in time")
        self._await(self._first_s, self._silent)

    def _silent(self) -> None:
        self._timer = None
        self._tell("failed", "it keeps silent")
        self._again(0.0, unanswered=True)

    def _broke_off(self) -> None:
        self._timer = None
        self._tell("failed", "it broke off")
        self._again(0.0, unanswered=False)

    def _refused(self, code: str) -> None:
        self._tell("failed", code)
        if self._others:
            self._again(0.0, unanswered=True)
            return
        # The connection is good; another one would be refused as well.
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            self.lost("no realtime model serves the call")
        else:
            self.unanswered()

    def _again(self, pause_s: float, *, unanswered: bool) -> None:
        if self._closed:
            return
        if self._task is not None and not self._task.done():
            self._once_more = True
            return
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            self.lost("no realtime model serves the call")
            return
        self._task = asyncio.create_task(self._connect_again(pause_s, unanswered=unanswered))

    async def _connect_again(self, pause_s: float, *, unanswered: bool) -> None:
        await asyncio.sleep(pause_s)
        try:
            async with asyncio.timeout(RESTART_S):
                await self._restart()
        except Exception as error:
            log.warning("realtime_not_restarted", reason=reason_of(error))
        if unanswered and not self._closed:
            self.unanswered()
        if self._once_more:
            self._once_more = False
            asyncio.get_running_loop().call_soon(lambda: self._again(PAUSE_S, unanswered=False))

    # Timer

    def _await(self, seconds: float, missed: Callable[[], None]) -> None:
        self._stop()
        if not self._closed:
            self._timer = self._clock.call_later(seconds, missed)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, kind: TroubleKind, reason: str = "") -> None:
        log.warning("provider_trouble", stage="realtime", kind=kind, provider=self._name, reason=reason)
        self.tell(Trouble("realtime", kind, self._name, reason))
