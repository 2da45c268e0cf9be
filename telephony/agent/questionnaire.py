"""What a call has brought in so far, field by field: the value, how sure of it, and from which turn.

Pure. A value is told when the caller gives it, not when the call is over, so a call that breaks off
leaves what was said until then. What a tool has settled (``Tuesday`` became a date) stands, with the turn in
which the caller said it. Values of secret entries leave here only as ``HIDDEN``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.assistants.schema import FormState, secret_slots
from telephony.calls.shapes import SECRET_DIGIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState

HIDDEN = SECRET_DIGIT * 3
"""What is told of a secret entry: that there was one."""

_OF_SLOTS = {"day": "date", "time": "time", "yes_no": "boolean"}


class Questionnaire:
    """One call's.

    Args:
        assistant: who declares the fields; a flow's slots are fields too.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._secret = secret_slots(assistant.flow)
        self._known: dict[str, dict[str, Any]] = {}
        self._slots: dict[str, str] = {}
        self._settled: set[str] = set()
        self._hidden: set[str] = set()

    def declared(self) -> list[dict[str, Any]]:
        """The fields, as ``telephony.calls.shapes.DeclaredField``."""
        told = [field.model_dump(exclude_defaults=True) for field in self._assistant.fields]
        named = {field["name"] for field in told}
        flow = self._assistant.flow
        for state in flow.states.values() if flow is not None else ():
            for blank in state.slots if isinstance(state, FormState) else ():
                if blank.slot not in named:
                    named.add(blank.slot)
                    kind = _OF_SLOTS.get(blank.type, "text")
                    told.append(
                        {
                            "name": blank.slot,
                            "type": kind,
                            "prompt": blank.ask,
                            "required": False,
                            "read_back": True,
                        }
                    )
        return [{"required": True, **field} for field in told]

    def is_secret(self, state: FlowState) -> bool:
        """Whether the answer that is waited for is a secret entry."""
        return state.asking in self._secret

    def after(
        self, state: FlowState, *, turn: int | None, confidence: float | None
    ) -> dict[str, dict[str, Any]]:
        """What a turn of the caller has changed, given where the flow stands after it.

        Args:
            turn: the number of the turn; None where keys were pressed.
            confidence: of the recogniser, 0 to 1; None where nobody knows.
        """
        slots = dict(state.slots)
        changed: dict[str, dict[str, Any]] = {}
        for name, value in slots.items():
            if self._slots.get(name) != value:
                changed[name] = self._keep(name, value, turn, confidence)
        for name in self._slots.keys() - slots.keys():
            # A form that asks again has forgotten it, unless a tool has made it a fact.
            if name not in self._settled:
                self._known.pop(name, None)
                changed[name] = {"value": None}
        self._slots = slots
        return changed

    def settle(self, fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What a tool says that the call has brought in."""
        told = {}
        for name, value in fields.items():
            self._settled.add(name)
            self._known[name] = {**self._known.get(name, {}), "value": self._shown(name, value)}
            told[name] = self._known[name]
        return told

    def without_secrets(self, value: Any) -> Any:
        """JSON in which secret values that were heard so far do not stand."""
        if isinstance(value, dict):
            return {key: self.without_secrets(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.without_secrets(item) for item in value]
        if isinstance(value, str):
            for secret in self._hidden:
                value = value.replace(secret, HIDDEN)
        return value

    def _keep(self, name: str, value: str, turn: int | None, confidence: float | None) -> dict[str, Any]:
        self._settled.discard(name)
        told: dict[str, Any] = {"value": self._shown(name, value)}
        if confidence is not None:
            told["confidence"] = round(min(1.0, max(0.0, confidence)), 2)
        if turn is not None:
            told["turn"] = turn
        self._known[name] = told
        return told

    def _shown(self, name: str, value: Any) -> Any:
        if name not in self._secret:
            return value
        if isinstance(value, str) and value:
            self._hidden.add(value)
        return HIDDEN
