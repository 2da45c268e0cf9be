"""Cursors: where a page ended, as an opaque text."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from telephony.api.problems import FieldError, ProblemError
from telephony.calls.ids import is_call_id


def encode(created_at: datetime, call_id: str) -> str:
    """The cursor of the page that ends with this call."""
    micros = round(created_at.timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(f"{micros}:{call_id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """Where the page before ended.

    Raises:
        ProblemError: it is no cursor of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        micros, _, call_id = text.partition(":")
        seconds, rest = divmod(int(micros), 1_000_000)
        instant = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    except (binascii.Error, ValueError, OverflowError, OSError) as error:
        raise _wrong() from error
    if not is_call_id(call_id):
        raise _wrong()
    return instant, call_id


def _wrong() -> ProblemError:
    detail = "The cursor is none that this api gave."
    wrong = [FieldError(field="query.cursor", message=detail)]
    return ProblemError(422, "invalid_request", detail, errors=wrong)
