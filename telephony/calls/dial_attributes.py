"""What a bridge is told of a call out, as attributes of its participant, beside the call's id. Pure."""

from __future__ import annotations

from typing import Final

PERMIT: Final = "trunkline.permit"
"""The permit of the dial: a bridge dials each one once, whoever asks again."""

DIAL_BY: Final = "trunkline.dial_by"
"""Milliseconds since 1970 after which the INVITE must not leave any more."""
