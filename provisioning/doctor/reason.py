"""Why a connection failed, in the system's own words. Pure."""

from __future__ import annotations

import os


def reason_of(error: BaseException) -> str:
    """``connection refused`` rather than what wraps it; a timeout has no words of its own."""
    inner = getattr(error, "os_error", None) or error
    number = getattr(inner, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number).lower()
    return str(inner).rstrip(".") or "no answer in time"
