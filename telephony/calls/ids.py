"""The names of a call. Pure, so that every part computes the same one alone."""

from __future__ import annotations

import re

_LIVEKIT_CALL = re.compile(r"^SCL_([0-9A-Za-z]{6,64})$")
_CALL = re.compile(r"^call_[0-9A-Za-z]{6,64}$")


def call_id_from_sip(sip_call_id: str) -> str:
    """Derive our call id from the participant attribute ``sip.callID``.

    LiveKit's id is ``SCL_`` and twelve characters, the same behind the embedded bridge and
    livekit-sip, so ``SCL_abcDEF123456`` is always ``call_abcDEF123456``.

    Raises:
        ValueError: it is not such an id.
    """
    match = _LIVEKIT_CALL.match(sip_call_id)
    if not match:
        raise ValueError(f"not a LiveKit call id: {sip_call_id!r}")
    return f"call_{match.group(1)}"


def is_call_id(text: str) -> bool:
    """Whether a text is one of our call ids, and so safe in a file name or an URL path."""
    return bool(_CALL.match(text))
