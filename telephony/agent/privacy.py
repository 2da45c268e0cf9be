"""Keep what was said, and whole telephone numbers, out of the libraries' log lines.

livekit-agents puts transcripts into fields named ``lk.pii.…`` and room names, which hold the caller's
number, into the message or a field of nearly every line. Our own lines are masked where they are made,
in ``telephony.logs``.
"""

from __future__ import annotations

import logging
from typing import Final

from telephony.numbers import mask_all

_SPOKEN: Final = "lk.pii."
_NUMBERED: Final = ("room", "participant", "identity")
_PLAIN: Final = frozenset({"room_id", "participant_id"})


class PrivacyFilter(logging.Filter):
    """Removes spoken words and masks numbers in every record; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        message = record.getMessage()
        masked = mask_all(message)
        if masked != message:
            record.msg, record.args = masked, None
        for key, value in list(record.__dict__.items()):
            if key.startswith(_SPOKEN):
                delattr(record, key)
            elif isinstance(value, str) and key not in _PLAIN and any(word in key for word in _NUMBERED):
                setattr(record, key, mask_all(value))
        return True
