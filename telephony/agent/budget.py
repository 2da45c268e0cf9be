"""What one call may use: a loop that nobody notices must not cost a fortune. Pure but for the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.metrics import LLMModelUsage, TTSModelUsage
from livekit.agents.voice.events import ToolCallStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from livekit.agents import AgentSession
    from livekit.agents.metrics import ModelUsage
    from livekit.agents.voice.events import SessionUsageUpdatedEvent, ToolExecutionUpdatedEvent

    from telephony.assistants.schema import BudgetTable


class Budget:
    """One call's.

    Args:
        limits: the assistant's.
        spent: told once what was used up.
    """

    def __init__(self, limits: BudgetTable, spent: Callable[[str], None]) -> None:
        self._limits = limits
        self._spent = spent
        self._tools = 0
        self._over = False

    def follow(self, session: AgentSession[Any]) -> None:
        """Watch what a session uses."""
        session.on("session_usage_updated", self._on_usage)
        session.on("tool_execution_updated", self._on_tool)

    def used(self, models: Iterable[ModelUsage]) -> None:
        """What all models together have used so far."""
        tokens = characters = 0
        for model in models:
            if isinstance(model, LLMModelUsage):
                tokens += model.input_tokens + model.output_tokens
            elif isinstance(model, TTSModelUsage):
                characters += model.characters_count
        if tokens > self._limits.tokens:
            self._tell(f"the call used more than {self._limits.tokens} tokens")
        elif characters > self._limits.characters:
            self._tell(f"the call spoke more than {self._limits.characters} characters")

    def called_tool(self) -> None:
        """One more tool was called."""
        self._tools += 1
        if self._tools > self._limits.tool_calls:
            self._tell(f"the call used tools more than {self._limits.tool_calls} times")

    def _on_usage(self, event: SessionUsageUpdatedEvent) -> None:
        self.used(event.usage.model_usage)

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        if isinstance(event.update, ToolCallStarted):
            self.called_tool()

    def _tell(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._spent(reason)
