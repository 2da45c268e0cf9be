"""Settings of hypothesis for this directory: a loaded machine keeps no deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("sip", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sip")
