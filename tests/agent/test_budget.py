"""What a call may use."""

from __future__ import annotations

import pytest
from livekit.agents.metrics import LLMModelUsage, TTSModelUsage

from telephony.agent.budget import Budget
from telephony.assistants.schema import BudgetTable

pytestmark = pytest.mark.pure


def test_what_is_used_up_is_told_once() -> None:
    """Tokens, speech and tools each have a limit; the first that is passed ends the call."""
    told: list[str] = []
    budget = Budget(BudgetTable(tokens=1000, characters=500, tool_calls=2), told.append)
    budget.used([LLMModelUsage(provider="p", model="m", input_tokens=900, output_tokens=100)])
    budget.used([TTSModelUsage(provider="p", model="m", characters_count=500)])
    budget.called_tool()
    budget.called_tool()
    assert told == []
    budget.called_tool()
    budget.used([LLMModelUsage(provider="p", model="m", input_tokens=9000)])
    assert told == ["the call used tools more than 2 times"]
