"""The names of a call. Pure, so that every part computes the same one alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from uuid_utils import uuid7

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIVEKIT_CALL = re.compile(r"^SCL_([0-9A-Za-z]{6,64})\Z")
_CALL = re.compile(r"^call_[0-9A-Za-z]{6,64}\Z")

CALL_ID_PATTERN = r"^call_[0-9A-Za-z]{6,64}$"
"""The form of a call id as JSON Schema writes it."""

CALL_ID_ATTRIBUTE = "trunkline.call_id"
"""The participant attribute in which an outbound call carries the id that the api minted."""


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


def call_id_from_attributes(attributes: Mapping[str, str]) -> str | None:
    """The call that a SIP participant belongs to, by its attributes; None when they do not say.

    An outbound call's own id wins over the one LiveKit made for its leg.
    """
    minted = attributes.get(CALL_ID_ATTRIBUTE, "")
    if is_call_id(minted):
        return minted
    try:
        return call_id_from_sip(attributes.get("sip.callID", ""))
    except ValueError:
        return None


def mint_call_id() -> str:
    """A new id for an outbound call; ids made later sort after earlier ones."""
    return f"call_{uuid7().hex}"


def is_call_id(text: str) -> bool:
    """Whether a text is one of our call ids, and so safe in a file name or an URL path."""
    return bool(_CALL.match(text))
