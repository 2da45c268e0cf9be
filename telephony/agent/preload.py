"""Imported once where job processes are forked from, so that a call finds everything loaded.

No thread, loop or connection may begin here. The weights of the voice activity detector are read
now and shared by all jobs; those of the end-of-turn model, 244 MB that are never used here, are not:
``LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE=0`` keeps livekit-agents from reading both.
"""

from __future__ import annotations

# numpy imports this part when it is first used, which would block a call's event loop.
import numpy.fft
from livekit import local_inference

import telephony.agent.job
import telephony.speech.providers

local_inference.init_vad()

__all__ = ["numpy", "telephony"]
