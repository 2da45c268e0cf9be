"""What anybody in the room may ask of a phone's participant: livekit-sip's ``lk.sip.*`` RPC, as JSON. Pure.

``lk.sip.EndCall`` takes ``{"headers": {…}}`` for the BYE and gives ``{}``; ``lk.sip.GetRemoteHeaders`` takes
``{"include": […], "exclude": […]}`` and gives ``{"headers": {…}}``: those of the far end's INVITE or 200.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from telephony.bridge import attributes
from telephony.bridge.outbound_order import OWN_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

END_CALL = "lk.sip.EndCall"
GET_REMOTE_HEADERS = "lk.sip.GetRemoteHeaders"

_SECRET = frozenset({"authorization", "proxy-authorization"})
_MAX_HEADERS = 64
_MAX_ANSWER = 14_000
"""Characters of an answer; LiveKit carries at most 15 KiB."""


def end_call_headers(payload: str) -> dict[str, str]:
    """Headers for the BYE.

    Raises:
        ValueError: the payload is no such object.
    """
    given = _object(payload).get("headers") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("headers must be an object of texts")
    kept = {name: attributes.clean(value) for name, value in given.items() if name.lower() not in OWN_HEADERS}
    return dict(list(kept.items())[:_MAX_HEADERS])


def remote_headers(payload: str, headers: Iterable[tuple[str, str]]) -> str:
    """The answer: the first line of each name, those that were asked for and none that was excluded.

    Raises:
        ValueError: the payload is no such object.
    """
    asked = _object(payload)
    include, exclude = _names(asked, "include"), _names(asked, "exclude")
    found: dict[str, str] = {}
    seen: set[str] = set()
    left = _MAX_ANSWER
    for name, value in headers:
        key = name.lower()
        if key in seen or key in _SECRET or key in exclude or (include and key not in include):
            continue
        seen.add(key)
        text = attributes.clean(value)
        left -= len(name) + len(text) + 8
        if left > 0:
            found[name] = text
    return json.dumps({"headers": found})


def _object(payload: str) -> dict[str, Any]:
    if not payload:
        return {}
    asked = json.loads(payload)
    if not isinstance(asked, dict):
        raise ValueError("the payload must be an object")
    return asked


def _names(asked: dict[str, Any], key: str) -> set[str]:
    names = asked.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} must be a list of names")
    return {name.lower() for name in names}
