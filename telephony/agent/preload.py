"""Imported once where job processes are forked from, so that a call finds everything loaded.

No thread, loop or connection may begin here. The weights of the voice activity detector are read
now and shared by all jobs; those of the end-of-turn model, 244 MB that are never used here, are not:
``LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE=0`` keeps livekit-agents from reading both.
"""

from __future__ import annotations

# Imported when they are first used, which would block a call's event loop.
import livekit.agents.llm.async_toolset
import numpy.fft
from livekit import local_inference
from livekit.agents import llm

import telephony.agent.job
import telephony.speech.providers
from telephony.assistants.tools.registry import TOOLS

local_inference.init_vad()

# What pydantic builds when it is first used, 40 ms and more, is built before the first caller waits for it.
llm.ChatMessage(role="system", content=["ready"])
for tool in TOOLS.values():
    tool.schema()

__all__ = ["livekit", "numpy", "telephony"]
