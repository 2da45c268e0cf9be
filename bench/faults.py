"""Every way in which a provider fails a caller: seven faults of each of three, one after the other.

Real sockets and real clients on a real session, as ``tests/agent/test_provider_faults.py`` has them: the
caller must hear speech within two seconds of the deadline, the call must go on, and the provider must serve
again once it has recovered. Part of ``bench/conversation.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.speech.simulators.faults import FAULTS
from tests.agent.test_provider_faults import one_fault

if TYPE_CHECKING:
    from bench.figures import Report
    from telephony.speech.guard.trouble import Stage

STAGES: tuple[Stage, ...] = ("stt", "llm", "tts")
"""Of an assistant that listens, thinks and speaks with three providers."""


async def provider_faults(report: Report) -> None:
    """Add how many of them the caller did not notice as silence."""
    bridged = 0
    for stage in STAGES:
        for fault in FAULTS:
            try:
                wrong = await one_fault(stage, fault)
            except TimeoutError:
                wrong = f"{stage} {fault}: not bridged in time"
            bridged += not wrong
            if wrong:
                report.notes.append(wrong)
    count = len(STAGES) * len(FAULTS)
    report.figure("provider faults that the caller heard no silence of", "", [float(bridged)], target=count)
    report.figures[-1].at_least = True
