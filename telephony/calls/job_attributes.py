"""What a job is told about its call besides the dispatch rule's metadata, as attributes of the job. Pure."""

from __future__ import annotations

from typing import Final

LINK: Final = "trunkline.link"
"""The name of the call's socket; without it the call's audio goes through the room."""

CALL_ID: Final = "trunkline.call_id"
"""Our id of the call."""

RESUME: Final = "trunkline.resume"
"""Set where the job takes over from one that died: the talk goes on, and nobody is greeted again."""
