"""What every part of an assistant's file is made of: strict models, names, and texts that can be spoken."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Part(BaseModel):
    """One mapping of the file: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _has_words(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("there is nothing to say in it")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A name inside the file: lower-case letters, digits, underscore."""

Speech = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_has_words)]
"""What is spoken, at most 1000 characters."""
