"""The caller as a participant of a LiveKit room: joining, who else is there, digits, leaving.

The only module that drives ``rtc.Room``; audio is ``room_media``. Guarantee: ``leave`` returns within
its bound whatever state the connection is in, and a join that was given up on never leaves a
participant behind.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.bridge import room_rpc
from telephony.bridge.people import People, count_people
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from livekit.rtc.room import EventTypes

log = get_logger(__name__)

_IO_TIMEOUT_S = 2.0
_LEAVE_TIMEOUT_S = 3.0
_CONNECT_TIMEOUT_S = 5.0

_LOST = frozenset(
    {
        rtc.DisconnectReason.UNKNOWN_REASON,
        rtc.DisconnectReason.SERVER_SHUTDOWN,
        rtc.DisconnectReason.STATE_MISMATCH,
        rtc.DisconnectReason.JOIN_FAILURE,
        rtc.DisconnectReason.MIGRATION,
        rtc.DisconnectReason.SIGNAL_CLOSE,
        rtc.DisconnectReason.CONNECTION_TIMEOUT,
        rtc.DisconnectReason.MEDIA_FAILURE,
    }
)
"""Reasons of a connection that nobody wanted to end."""

_DIGIT_CODES = {digit: code for code, digit in enumerate("0123456789*#ABCD")}


class CallerInRoom:
    """One caller in one room.

    Attributes:
        on_track: a remote audio track is subscribed.
        on_track_gone: one is not any more, by its sid.
        on_people: somebody came, left, or published audio.
        on_digit: somebody wants a key to be sent to the phone.
        on_trouble: the connection to the server is being mended (True) or whole again (False).
        on_closed: we are out of the room and will not come back; the reason is LiveKit's.
        comes_back: whether a connection that was lost for good counts as trouble, for ``rejoin``, and not as
            the end.
        troubled: whether the connection is being mended.
        on_end_call: a participant asked by RPC to hang up, with these headers in the BYE.
        remote_headers: gives the far end's headers to participants that ask for them.
        on_attributes: our attributes changed, by us or by the server API; or recording began or ended.
        subscribes: whether audio is subscribed to as it comes; False until ``subscribe`` is called.
        was_empty: nobody was there when we joined.
        last_agent_reason: why the last agent that left did, by LiveKit's number.
    """

    def __init__(self) -> None:
        self.on_track: Callable[[rtc.RemoteAudioTrack], None] | None = None
        self.on_track_gone: Callable[[str], None] | None = None
        self.on_people: Callable[[People], None] | None = None
        self.on_digit: Callable[[str], None] | None = None
        self.on_trouble: Callable[[bool], None] | None = None
        self.on_closed: Callable[[int], None] | None = None
        self.on_end_call: Callable[[dict[str, str]], None] | None = None
        self.remote_headers: Callable[[], Iterable[tuple[str, str]]] | None = None
        self.on_attributes: Callable[[], None] | None = None
        self.subscribes = True
        self.comes_back = False
        self.troubled = False
        self.was_empty = False
        self.last_agent_reason: int | None = None
        self._room: rtc.Room | None = None
        self._current: rtc.Room | None = None
        """The room that is listened to: what one says that was given up is no news."""
        self._leaving = False
        self._changed = asyncio.Event()

    async def join(self, url: str, token: str) -> None:
        """Join and subscribe to all audio there is and will be. Must not be cancelled: see ``leave``.

        Raises:
            LiveKitError: the server cannot be reached or refuses the token.
        """
        room = self._current = rtc.Room()
        self._listen(room)
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=_CONNECT_TIMEOUT_S)
        try:
            await room.connect(url, token, options)
        except rtc.ConnectError as error:
            raise LiveKitError(
                error.message or "livekit-server refused the connection", retryable=True
            ) from error
        self._room = room
        self.was_empty = not room.remote_participants
        for method, answer in self._methods().items():
            room.local_participant.register_rpc_method(method, answer)
        self._subscribe_all()

    async def rejoin(self, url: str, token: str) -> None:
        """Join again in place of a connection that was lost. Must not be cancelled.

        Raises:
            LiveKitError: the server cannot be reached or refuses the token; may be tried again.
        """
        room, self._room, self._current = self._room, None, None
        if room is not None:
            # Given up first: when it came back it would throw us out again.
            await self._give_up(room, rtc.DisconnectReason.CLIENT_INITIATED)
        await self.join(url, token)
        self.troubled = False

    def subscribe(self) -> None:
        """Subscribe to all audio there is and will be, where joining did not."""
        self.subscribes = True
        if self._room is not None:
            self._subscribe_all()

    async def retire(self, seconds: float) -> None:
        """Publish no more and let the others go first, at most ``seconds``; nothing is called back any more.

        The SDK (rtc 1.1.21) never frees the connection of a room that was left while others published there,
        0.5 MB a call, nor the thread of a track that was published when the server ended the room (rust-sdks
        1378, 1443). An agent that follows ``sip.callStatus`` is gone at once, so its calls cost nothing.
        """
        self._leaving = True
        room = self._room
        if room is None or not room.isconnected():
            return
        try:
            async with asyncio.timeout(seconds):
                for sid in list(room.local_participant.track_publications):
                    await room.local_participant.unpublish_track(sid)
                while room.isconnected() and self.people().audible:
                    self._changed.clear()
                    await self._changed.wait()
        except (TimeoutError, rtc.participant.UnpublishTrackError) as error:
            log.debug("others_stayed", reason=type(error).__name__)

    async def leave(
        self, reason: rtc.DisconnectReason.ValueType = rtc.DisconnectReason.CLIENT_INITIATED
    ) -> None:
        """Leave; bounded by three seconds, harmless when repeated or never joined."""
        room, self._room = self._room, None
        self._leaving = True
        if room is not None:
            await self._give_up(room, reason)

    async def _give_up(self, room: rtc.Room, reason: rtc.DisconnectReason.ValueType) -> None:
        for method in self._methods():
            # The SDK (rtc 1.1.21) keeps a room whose methods are registered for ever: 0.5 MB a call.
            room.local_participant.unregister_rpc_method(method)
        try:
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await room.disconnect(reason=reason)
        except TimeoutError:
            log.warning("room_leave_timed_out")

    @property
    def connected(self) -> bool:
        """Whether we are in the room now."""
        return self._room is not None and self._room.isconnected()

    @property
    def room(self) -> rtc.Room:
        """The room; for the audio path.

        Raises:
            LiveKitError: we are not in it.
        """
        if self._room is None:
            raise LiveKitError("the caller is not in the room")
        return self._room

    async def sid(self) -> str:
        """The room's sid; empty where the server does not say it in time."""
        try:
            async with asyncio.timeout(_IO_TIMEOUT_S):
                return str(await self.room.sid)
        except (TimeoutError, LiveKitError):
            return ""

    @property
    def attributes(self) -> dict[str, str]:
        """The caller's attributes as they are now; empty outside the room."""
        return dict(self._room.local_participant.attributes) if self._room else {}

    @property
    def is_recorded(self) -> bool:
        """Whether an egress records the room."""
        return self._room is not None and bool(self._room.is_recording)

    def people(self) -> People:
        """Who else is here, as far as we were told: of those who publish nothing up to three seconds late."""
        if self._room is None:
            return People()
        return count_people(
            (
                participant.kind,
                any(
                    publication.kind == rtc.TrackKind.KIND_AUDIO
                    for publication in participant.track_publications.values()
                ),
            )
            for participant in self._room.remote_participants.values()
        )

    async def set_attributes(self, attributes: dict[str, str], *, timeout_s: float = _IO_TIMEOUT_S) -> None:
        """Change attributes; a failure is logged, since no call should end for it."""
        if self._room is None or not self._room.isconnected():
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.local_participant.set_attributes(attributes)
        except TimeoutError:
            log.info("attributes_not_set", keys=sorted(attributes))

    async def publish_digit(self, digit: str) -> None:
        """Tell everybody in the room that the caller pressed a key; a failure is logged."""
        if self._room is None or not self._room.isconnected():
            return
        try:
            async with asyncio.timeout(_IO_TIMEOUT_S):
                await self._room.local_participant.publish_dtmf(code=_DIGIT_CODES[digit], digit=digit)
        except (TimeoutError, rtc.participant.PublishDTMFError) as error:
            log.warning("digit_not_published", reason=type(error).__name__)

    def _listen(self, room: rtc.Room) -> None:
        handlers: dict[EventTypes, Callable[..., None]] = {
            "track_published": self._track_published,
            "track_subscribed": self._track_subscribed,
            "track_unsubscribed": self._track_unsubscribed,
            "track_unpublished": lambda *_: self._people_changed(),
            "participant_connected": lambda *_: self._people_changed(),
            "participant_disconnected": self._participant_left,
            "sip_dtmf_received": self._digit_received,
            "participant_attributes_changed": self._attributes_changed,
            "room_updated": lambda *_: self._told(self.on_attributes),
            "reconnecting": lambda *_: self._trouble(True),
            "reconnected": self._reconnected,
            "disconnected": self._disconnected,
        }
        for event, handler in handlers.items():
            room.on(event, self._while_current(room, handler))

    def _while_current(self, room: rtc.Room, handler: Callable[..., None]) -> Callable[..., None]:
        def heard(*told: object) -> None:
            if room is self._current:
                handler(*told)

        return heard

    def _subscribe_all(self) -> None:
        if not self.subscribes:
            return
        for participant in self.room.remote_participants.values():
            for publication in participant.track_publications.values():
                _subscribe(publication)

    def _track_published(self, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant) -> None:
        if self.subscribes:
            _subscribe(publication)
        self._people_changed()

    def _track_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and self.on_track is not None:
            self.on_track(track)

    def _track_unsubscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        if self.on_track_gone is not None:
            self.on_track_gone(track.sid)

    def _participant_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            self.last_agent_reason = participant.disconnect_reason
        self._people_changed()

    def _people_changed(self) -> None:
        self._changed.set()
        if self.on_people is not None and not self._leaving:
            self.on_people(self.people())

    def _digit_received(self, dtmf: rtc.SipDTMF) -> None:
        if self.on_digit is not None and dtmf.digit in _DIGIT_CODES:
            self.on_digit(dtmf.digit)

    def _attributes_changed(self, _: dict[str, str], participant: rtc.Participant) -> None:
        if self._room is not None and participant.sid == self._room.local_participant.sid:
            self._told(self.on_attributes)

    def _told(self, callback: Callable[[], None] | None) -> None:
        if callback is not None and not self._leaving:
            callback()

    def _trouble(self, mending: bool) -> None:
        self.troubled = mending
        if self.on_trouble is not None and not self._leaving:
            self.on_trouble(mending)

    def _reconnected(self) -> None:
        # After a full reconnect we are a new participant, and nothing is subscribed any more.
        if self._room is not None:
            self._subscribe_all()
        self._trouble(False)
        self._people_changed()

    def _disconnected(self, reason: int) -> None:
        self._changed.set()
        if self.comes_back and reason in _LOST:
            self._trouble(True)
        elif self.on_closed is not None and not self._leaving:
            self.on_closed(reason)

    def _methods(self) -> dict[str, Callable[[rtc.RpcInvocationData], Awaitable[str]]]:
        return {room_rpc.END_CALL: self._end_call, room_rpc.GET_REMOTE_HEADERS: self._get_remote_headers}

    async def _end_call(self, data: rtc.RpcInvocationData) -> str:
        try:
            headers = room_rpc.end_call_headers(data.payload)
        except ValueError as error:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.APPLICATION_ERROR, str(error)) from error
        if self.on_end_call is not None:
            self.on_end_call(headers)
        return json.dumps({})

    async def _get_remote_headers(self, data: rtc.RpcInvocationData) -> str:
        try:
            return room_rpc.remote_headers(data.payload, self.remote_headers() if self.remote_headers else ())
        except ValueError as error:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.APPLICATION_ERROR, str(error)) from error


def _subscribe(publication: rtc.TrackPublication) -> None:
    if (
        isinstance(publication, rtc.RemoteTrackPublication)
        and publication.kind == rtc.TrackKind.KIND_AUDIO
        and not publication.subscribed
    ):
        publication.set_subscribed(True)
