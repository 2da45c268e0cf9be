"""The tool with which a language model fills the questionnaire of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from telephony.errors import AssistantError

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result


async def note_answer(
    desk: Desk,
    field: Annotated[str, Field(description="The field's name.", max_length=64)],
    value: Annotated[str, Field(description="The caller's answer.", min_length=1, max_length=1000)],
) -> Result:
    """Note the caller's answer to one field of the questionnaire; a later answer replaces an earlier one."""
    declared = {each.name: each for each in desk.assistant.fields}
    if field not in declared:
        raise AssistantError(
            f"there is no field {field!r}.",
            field="field",
            fix=f"Use one of: {', '.join(declared) or 'none'}.",
        )
    choices = declared[field].choices
    chosen = next((choice for choice in choices if choice.lower() == value.strip().lower()), None)
    if choices and chosen is None:
        raise AssistantError(
            f"{value!r} is no choice of {field}.", field="value", fix=f"Use one of: {', '.join(choices)}."
        )
    desk.collected({field: chosen or value.strip()})
    return {"noted": True}
