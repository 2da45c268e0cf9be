"""What every call shares, whoever dialled: a phone leg, a participant, an audio path, and one end.

Guarantees. ``over`` is resolved once, by whatever ends the call first; ``release`` then lets go of
everything within its bounds: the phone is told first, the room left next, the port given back last.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telephony.bridge import attributes, ending
from telephony.bridge.call_dialog import CallDialog
from telephony.bridge.call_keys import CallKeys
from telephony.bridge.call_quality import CallQuality
from telephony.bridge.caller_hold import CallerHold
from telephony.bridge.direct_media import DirectMedia
from telephony.bridge.media import MediaLeg
from telephony.bridge.room import CallerInRoom
from telephony.bridge.room_media import RoomMedia
from telephony.bridge.server_loss import ServerLoss
from telephony.bridge.watch import CallWatch, Limits
from telephony.calls.job_attributes import AUDIO_PATH
from telephony.logs import get_logger
from telephony.sip.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

    from telephony.bridge.agreement import MediaAgreement
    from telephony.bridge.call_services import CallServices
    from telephony.bridge.direct_line import DirectLine
    from telephony.bridge.ending import Ending
    from telephony.bridge.io_service import Dispatch
    from telephony.bridge.media import CallMedia
    from telephony.bridge.people import People
    from telephony.bridge.record import CallRecord
    from telephony.recording.recorder import StereoRecording
    from telephony.rtp.session import RtpSession
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.session import DialogSession
    from telephony.sip.session_timer import Terms

log = get_logger(__name__)

FIRST_PACKET_S = 1.0
"""How long the phone's first RTP packet is waited for before the call counts as active."""

MAX_CONVERSATION_S = 48 * 3600.0

_BYE_WAIT_S = 5.0
_LAST_STATUS_S = 0.3
_OTHERS_FIRST_S = 0.4


class Call:
    """One call; ``inbound`` says how it comes about.

    Attributes:
        over: why the call ended, once it did.
        on_audible: somebody's audio is subscribed.
        on_people: somebody came or left while it rings.
        on_notify: the phone tells what became of a transfer; without it such requests are refused.
        on_secret_key: takes the phone's keys while it is set, and nobody else hears of them.
        handed_over: the phone was told to call somebody else: if it hangs up, that is why.
    """

    def __init__(self, services: CallServices, record: CallRecord) -> None:
        self.services = services
        self.record = record
        self.over: Outcome[Ending] = Outcome()
        self.on_audible: Callable[[], None] | None = None
        self.on_people: Callable[[People], None] | None = None
        self.on_notify: Callable[[IncomingRequest], None] | None = None
        self.on_secret_key: Callable[[str], None] | None = None
        self.handed_over = False
        self.caller = CallerInRoom()
        self._hold = CallerHold(self)
        self._digits = CallKeys(self)
        self._dialog = CallDialog(self, self._held)
        self.joined = asyncio.Event()
        """Set once the caller is in the room."""
        self.direct: DirectLine | None = None
        self._room_audio = self._room_media()
        self.media: CallMedia = self._room_audio
        self.rtp: RtpSession | None = None
        self.agreement: MediaAgreement | None = None
        self.session: DialogSession | None = None
        self.bye_headers: dict[str, str] = {}
        """The trunk's ``attributes_to_headers``, for our BYE."""
        self._leg: MediaLeg | None = None
        self._recording: StereoRecording | None = None
        self._quality = CallQuality()
        self._watch: CallWatch | None = None
        self.place: Dispatch | None = None
        """Where the caller is, and as whom; set before joining."""
        self._loss: ServerLoss | None = None
        self._first_packet = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    def _room_media(self) -> RoomMedia:
        media = RoomMedia(self.caller)

        def track_came(track: rtc.RemoteAudioTrack) -> None:
            media.add_track(track)
            self.record.mark("agent_track")
            if self.on_audible is not None:
                self.on_audible()

        self.caller.on_track = track_came
        self.caller.on_people = self._people_changed
        self.caller.on_digit = self._digits.asked
        self.caller.on_trouble = self._server_trouble
        self.caller.on_closed = lambda reason: self.end(ending.by_room(reason))
        self.caller.on_end_call = self._hang_up
        self.caller.remote_headers = self._dialog.remote_headers
        self.caller.on_attributes = self._attributes_changed
        return media

    def use_direct(self, direct: DirectLine) -> None:
        """Take the direct line for the call's audio; before ``connect``."""
        self.direct = direct
        media = self.media = DirectMedia(direct.link, self.caller, self._room_audio, self.services.media)
        to_owner = self.services.media.to_owner
        direct.link.on_keys = to_owner(self._digits.asked)
        direct.link.on_hang_up = to_owner(lambda: self.end(ending.AGENT_HUNG_UP))
        direct.link.on_room_wanted = to_owner(media.to_room)
        direct.on_ending = self.end
        direct.on_left = lambda: self._people_changed(self.caller.people())
        direct.on_died = self._hold.let_go
        direct.others_talk = self._others_talk

    def _record_audio(self) -> StereoRecording | None:
        """What goes through the room its job records: there the bridge may be another's."""
        section = self.services.config.recording
        if section is None or self.services.recorder is None or self.direct is None:
            return None
        return self.services.recorder.open(section.directory, self.record.call_id, section.format)

    def leave_direct(self) -> None:
        """Go through the room after all; before ``connect``."""
        if self.direct is not None:
            self.direct.close("not needed")
        self.direct = None
        self.media = self._room_audio

    def end(self, how: Ending) -> None:
        """End the call; only the first reason counts."""
        self.record.mark("ended")
        self.over.set(ending.TRANSFERRED if self.handed_over and not how.says_bye else how)

    def use_rtp(self, rtp: RtpSession, agreement: MediaAgreement) -> None:
        """Take the phone's media; nothing is heard or sent before ``connect``."""
        self.rtp, self.agreement = rtp, agreement
        to_owner = self.services.media.to_owner
        rtp.on_first_packet = to_owner(self._first_packet.set)
        rtp.on_digit = to_owner(self._digits.pressed)
        self._quality.follow(rtp)

    def answered(self, session: DialogSession, tasks: asyncio.TaskGroup, terms: Terms | None = None) -> None:
        """There is a dialog with the phone; ``connect`` may follow later, after a PIN."""
        self.session = session
        self._dialog.begin(session, terms)
        self.record.mark("answered")
        self._workers.append(tasks.create_task(self._dialog.watch(session)))

    def connect(
        self, session: DialogSession, limits: Limits, tasks: asyncio.TaskGroup, terms: Terms | None = None
    ) -> None:
        """The phone is connected: let both sides hear each other from the next tick on.

        Args:
            terms: of the session timer, as agreed with the 200.
        """
        rtp = self.rtp
        assert rtp is not None, "media is opened before a call is connected"
        if self.session is None:
            self.answered(session, tasks, terms)
        self._recording = self._record_audio()
        self.carry(self.media)
        if self.direct is not None:
            self.direct.answered()
        self._watch = CallWatch(
            self.services.clock,
            limits,
            heard_at=lambda: rtp.last_received_at if rtp.packets_received else None,
            on_ending=self._ended_by_watch,
        )
        self._watch.start(self._with_agent(self.caller.people()))
        self._loss = ServerLoss(self, self._watch, lambda: self._with_agent(self.caller.people()))
        if self.caller.troubled:
            self._server_trouble(True)
        self._held(self.agreement is not None and self.agreement.is_held)
        self._hold.follow()
        self._workers += [
            tasks.create_task(self._become_active()),
            tasks.create_task(self._quality.tell(self.caller)),
            *self._digits.start(tasks),
        ]

    def _held(self, is_held: bool) -> None:
        if self.agreement is not None and self.agreement.is_agreed:
            self.record.fields["codec"] = self.agreement.codec
        self._quality.pause()
        if self._watch is not None:
            self._watch.held(is_held)

    def carry(self, media: CallMedia) -> None:
        """Move audio between the phone and this path from the next tick on; after the answer."""
        assert self.rtp is not None, "media is agreed before a call is connected"
        if self._leg is not None:
            self._leg.stop()
        self._leg = MediaLeg(self.rtp, media, self.services.media, self._recording)
        self._leg.start()

    async def converse(self) -> Ending:
        """Wait for the end."""
        return await self.over.wait(self.services.clock, 2 * MAX_CONVERSATION_S)

    async def release(self, *, says_bye: bool) -> None:
        """Let go of phone, room and port; bounded by about ten seconds, whatever the others do."""
        self._hold.close()
        if self._watch is not None:
            self._watch.close()
        self._dialog.close()
        if self.direct is not None:
            self.direct.close(self.over.value.name if self.over.value is not None else "refused")
        if self._leg is not None:
            self._leg.stop()
        for worker in self._workers:
            worker.cancel()
        # Their values are gone with the room, which may be gone before the task begins.
        headers = attributes.attribute_headers(
            self.caller.attributes, self.bye_headers, self._dialog.asked_headers
        )
        bye = asyncio.create_task(self._dialog.say_bye(headers)) if says_bye else None
        try:
            if self._loss is not None:
                await self._loss.close()
            if self.session is not None:
                # Two changes shortly after another can leave the SDK waiting; nobody should stay for that.
                last = {**self._quality.attributes(), attributes.CALL_STATUS: "hangup"}
                await self.caller.set_attributes(last, timeout_s=_LAST_STATUS_S)
                await self.caller.retire(_OTHERS_FIRST_S)
            await self.caller.leave()
            if self._leg is not None:
                await self._leg.stopped()
            await self.media.close()
            if self._recording is not None and (file := await self._recording.close()) is not None:
                self.record.emit("recording.ready", **file.to_event())
            if self.direct is not None:
                await self.direct.closed()
        finally:
            if bye is not None:
                await asyncio.wait({bye}, timeout=_BYE_WAIT_S)
            elif self.session is not None:
                # Not after a BYE: the endpoint goes on repeating one that was not answered.
                self.session.close()
            self.drop()

    def drop(self) -> None:
        """Stop media and give socket and port back at once; harmless when repeated."""
        if self.direct is not None:
            self.direct.close("dropped")
        if self._leg is not None:
            self._leg.stop()
        if self.rtp is not None:
            self.rtp.close()

    def rtp_statistics(self) -> dict[str, Any]:
        """The phone's packets, for event and log."""
        return self._quality.statistics()

    def part(self, how: Ending) -> None:
        """End the call, after the goodbye where there is one to be heard."""
        if self.session is not None and self.direct is not None and self.direct.has_agent:
            self._hold.let_go()
            self.direct.part(how)
        else:
            self.end(how)

    def _ended_by_watch(self, how: Ending) -> None:
        if how is ending.SERVER_LOST:
            self.part(how)
            return
        self.end(ending.by_agent(self.caller.last_agent_reason) if how is ending.AGENT_LEFT else how)

    # What the room says

    def _with_agent(self, people: People) -> People:
        """An agent on the direct line counts, whether or not it is in the room yet."""
        if self.direct is None or not self.direct.has_agent:
            return people
        return replace(people, agents=max(1, people.agents))

    def _others_talk(self) -> bool:
        """Whether a person is on the line with the caller, such as an operator."""
        people = self.caller.people()
        return bool(people.sip and people.audible) and not self._hold.is_held

    @property
    def is_connected(self) -> bool:
        """Whether the phone and its audio path hear each other."""
        return self._watch is not None

    def _attributes_changed(self) -> None:
        if isinstance(self.media, DirectMedia):
            self._listeners_changed(self.media)
        self._hold.follow()

    def _listeners_changed(self, media: DirectMedia) -> None:
        caller = self.caller
        people, own = caller.people(), caller.attributes
        media.listened(bool(people.sip or people.others or own.get(attributes.TAPS) or caller.is_recorded))
        if own.get(AUDIO_PATH) == "room":
            media.to_room()

    def _hang_up(self, headers: dict[str, str]) -> None:
        self._dialog.asked_headers = headers
        self.end(ending.AGENT_HUNG_UP)

    def _people_changed(self, people: People) -> None:
        if isinstance(self.media, DirectMedia):
            self._listeners_changed(self.media)
            people = self._with_agent(people)
        if self._watch is not None:
            self._watch.people(people)
        elif self.on_people is not None:
            self.on_people(people)

    def join_later(self, attributes: dict[str, str]) -> bool:
        """The room could not be joined: try as after a loss; whether the call is up, so that it can wait."""
        if self._loss is None:
            return False
        self._loss.lost(attributes)
        return True

    def _server_trouble(self, is_mending: bool) -> None:
        log.warning("livekit_lost" if is_mending else "livekit_back", call_id=self.record.call_id)
        if self._loss is None:
            return
        if is_mending:
            self._loss.lost()
        else:
            self._loss.mended()

    async def _become_active(self) -> None:
        """Tell the room that the phone is there: at its first packet, or after a second without one."""
        try:
            async with asyncio.timeout(FIRST_PACKET_S):
                await self._first_packet.wait()
            self.record.mark("first_rtp")
        except TimeoutError:
            log.info("no_rtp_yet", call_id=self.record.call_id)
        # On the direct line the call may be answered before the caller is in the room.
        await self.joined.wait()
        await self.caller.set_attributes({attributes.CALL_STATUS: "active"})
        self.record.mark("active")
