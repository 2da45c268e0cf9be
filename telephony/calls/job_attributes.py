"""What jobs are told about their calls besides the dispatch rule's metadata, as attributes. Pure."""

from __future__ import annotations

from typing import Final

LINK: Final = "trunkline.link"
"""The name of the call's socket; without it the call's audio goes through the room."""

CALL_ID: Final = "trunkline.call_id"
"""Our id of the call."""

RESUME: Final = "trunkline.resume"
"""The job from which this one takes over: the talk goes on, and nobody is greeted again."""

DEATHS: Final = "trunkline.deaths"
"""How many jobs of the call have died before this one."""

AUDIO_PATH: Final = "trunkline.audio_path"
"""An attribute of the caller's participant: ``room`` where a direct call has moved to the room's audio, or
is told to by the server API."""

HOLD: Final = "trunkline.hold"
"""An attribute of the caller's participant, set by the server API: ``music`` puts the phone on hold."""

HOLD_MUSIC: Final = "music"
"""The value of ``HOLD``, and of ``HELD``."""

HELD: Final = "trunkline.held"
"""An attribute of the caller's participant: ``music`` while the bridge plays it to the phone."""

ROLE: Final = "trunkline.role"
"""An attribute of a participant that is not the caller: ``operator`` is the person a call is handed to."""

OPERATOR: Final = "operator"
"""The value of ``ROLE``."""
