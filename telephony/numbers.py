"""Telephone numbers: how they are masked, and whether two spellings are one number.

Pure.
"""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\+?\d{5,}")
_KEPT_AT_END = 2
_KEPT_AT_START = 3


def mask(number: str) -> str:
    """Hide the middle of a number: ``+74951234567`` becomes ``+74*******67``.

    Anything with five digits or fewer after its plus is hidden whole, since two shown
    digits would say most of it.
    """
    if len(number.lstrip("+")) <= _KEPT_AT_START + _KEPT_AT_END:
        return "*" * len(number)
    hidden = len(number) - _KEPT_AT_START - _KEPT_AT_END
    return number[:_KEPT_AT_START] + "*" * hidden + number[-_KEPT_AT_END:]


def mask_all(text: str) -> str:
    """Mask every run of five or more digits in a text, such as a SIP URI or a room name."""
    return _DIGITS.sub(lambda match: mask(match.group()), text)


def same_number(left: str, right: str) -> bool:
    """Whether two spellings are one number to livekit-server's trunk matching.

    Blanks, hyphens, brackets and a leading plus do not count (livekit/protocol sip/sip.go, NormalizeNumber).
    """
    return _bare(left) == _bare(right)


def _bare(number: str) -> str:
    return re.sub(r"[\s\-()]", "", number).removeprefix("+")
