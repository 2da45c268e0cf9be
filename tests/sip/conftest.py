"""Settings of hypothesis for this directory: no deadline, since a loaded machine keeps none."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("sip", deadline=None)
settings.load_profile("sip")
