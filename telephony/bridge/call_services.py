"""What calls use of their process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.bridge.hold_music import HoldMusic
from telephony.bridge.limits import CallLimits
from telephony.bridge.pin_sounds import PinSounds

if TYPE_CHECKING:
    from telephony.bridge.config import BridgeConfig
    from telephony.bridge.io_service import IoService
    from telephony.bridge.livekit_rooms import LiveKitRooms
    from telephony.clock import Clock
    from telephony.dispatch.client import DispatchClient
    from telephony.recording.recorder import Recorder
    from telephony.rtp.ports import PortPool
    from telephony.rtp.thread import MediaThread


@dataclass(frozen=True, slots=True)
class CallServices:
    """One for all calls of a bridge."""

    config: BridgeConfig
    clock: Clock
    media: MediaThread
    ports: PortPool
    io: IoService
    rooms: LiveKitRooms
    dispatcher: DispatchClient | None = None
    """Of this machine; None where every call goes through the room."""
    recorder: Recorder | None = None
    limits: CallLimits = field(default_factory=CallLimits)
    pin_sounds: PinSounds = field(default_factory=PinSounds.load)
    hold_music: HoldMusic = field(default_factory=HoldMusic.load)
