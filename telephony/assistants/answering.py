"""What an assistant does about whoever answers its calls: the ``answering`` section of its file. Pure data.

A request for a call may say otherwise for that call (``told``); ``docs/outbound-answers.md`` has the section
as an operator reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class AnsweringSettings(BaseModel):
    """When the assistant speaks in a call of its own, and what it does about machines."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    first_word: Literal["after_callee", "at_once"] = "after_callee"
    """``after_callee``: the called party's hello is waited for; ``at_once``: the greeting begins with the
    answer. Default after_callee."""
    patience_s: float = Field(default=1.5, ge=0.2, le=10)
    """Silence after the answer after which the assistant speaks first, in s. Default 1.5."""
    voicemail: Literal["leave_message", "hang_up"] = "hang_up"
    """What is done about a mailbox. Default hang_up."""
    message: Words | None = None
    """What is left there, after its beep and to the end. Default: nothing, and the line is hung up."""
    beep_wait_s: float = Field(default=30.0, ge=2, le=120)
    """How long the beep is waited for, in s; then the message is said without one. Default 30."""
    screener: Literal["state_purpose", "hang_up"] = "state_purpose"
    """What is done about a call screener. Default state_purpose."""
    purpose: Words | None = None
    """Who calls and why, in a sentence, for a screener. Default: the greeting."""
    person_wait_s: float = Field(default=45.0, ge=5, le=180)
    """How long the person behind a screener is waited for, in s. Default 45."""
    ivr: Literal["hang_up", "continue"] = "hang_up"
    """What is done about a menu: hang up, or let the assistant talk to it. Default hang_up."""

    def told(self, dial: Mapping[str, Any]) -> tuple[AnsweringSettings, list[str]]:
        """These settings as one call's request has them, and the names of what could not be read.

        Args:
            dial: the request's ``answer_policy``, or an object that holds it; None means "as it is".
        """
        policy = dial.get("answer_policy")
        wanted = {**dial, **(policy if isinstance(policy, dict) else {})}
        settings, unreadable = self, []
        for name in type(self).model_fields:
            if wanted.get(name) is None:
                continue
            try:
                settings = type(self).model_validate({**settings.model_dump(), name: wanted[name]})
            except ValidationError:
                unreadable.append(name)
        return settings, unreadable
