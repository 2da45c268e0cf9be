"""A tool: a typed function, described for a language model by its own signature."""

from __future__ import annotations

import copy
import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from telephony.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from telephony.assistants.http_tool import Waiting
    from telephony.assistants.tools.desk import Desk

Result = dict[str, Any]
"""JSON values; ``text`` is a sentence that can be spoken as it is."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing an assistant can do.

    Attributes:
        name: its name in files and for models.
        description: what it does, for a model.
        arguments: their shape.
        function: does it.
        after_speaking: whether the words spoken with it must have been heard before it is done.
        waiting: what the caller hears while it is slow.
        languages: in which it speaks; None for any.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    function: Callable[..., Awaitable[Result]]
    after_speaking: bool = False
    waiting: Waiting | None = None
    languages: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        function: Callable[..., Awaitable[Result]],
        *,
        after_speaking: bool = False,
        waiting: Waiting | None = None,
        languages: frozenset[str] | None = None,
        strict: bool = True,
    ) -> Tool:
        """Describe an async function whose first parameter is the desk.

        Its docstring's first paragraph is the description; ``Annotated`` fields describe arguments. Where it
        is not ``strict``, a text such as ``5`` is taken for the number, as a flow writes it.
        """
        # The desk and the result are named for type checkers only, the arguments for pydantic too.
        unresolved = {"Desk": Any, "Result": Any}
        hints = get_type_hints(function, localns=unresolved, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())[1:]
        fields: dict[str, Any] = {
            parameter.name: (
                hints[parameter.name],
                ... if parameter.default is inspect.Parameter.empty else parameter.default,
            )
            for parameter in parameters
        }
        name = function.__name__
        config = ConfigDict(extra="forbid", strict=strict)
        model = create_model(f"{name}_arguments", __config__=config, **fields)
        summary = inspect.cleandoc(function.__doc__ or "").split("\n\n", 1)[0]
        return cls(name, " ".join(summary.split()), model, function, after_speaking, waiting, languages)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return copy.deepcopy(_schema(self.arguments))

    async def run(self, desk: Desk, arguments: Mapping[str, Any]) -> Result:
        """Check the arguments and do it.

        Raises:
            AssistantError: an argument is missing, unknown or of the wrong type; or it cannot be done.
        """
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise AssistantError(
                f"{first['msg']}.", field=f"{self.name}.{where}", fix="Call it again with right arguments."
            ) from None
        return await self.function(
            desk, **{key: getattr(checked, key) for key in checked.__class__.model_fields}
        )


@functools.cache
def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    # Worked out once, where jobs are forked from: it takes 15 ms a tool, and a caller waits for it.
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema
