"""Secrets that stand in the file itself, where git and every reader of the file can see them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from provisioning.reading.expansion import Expanded
from provisioning.reading.problem import Note, Path

if TYPE_CHECKING:
    from collections.abc import Iterator


def literal_secrets(model: BaseModel, tree: Any, path: Path = ()) -> Iterator[Note]:
    """A note for each secret that is neither a variable nor read from a file of its own.

    Args:
        model: what the tree was read as.
        tree: the expanded tree, in which variables are ``Expanded``.
        path: where both stand.
    """
    if not isinstance(tree, dict):
        return
    for name, info in type(model).model_fields.items():
        key = info.alias or name
        value, written = getattr(model, name), tree.get(key)
        if isinstance(value, SecretStr):
            if isinstance(written, str) and not isinstance(written, Expanded):
                has_file = f"{name}_file" in type(model).model_fields
                fix = f"Write ${{NAME}}, or {key}_file." if has_file else "Write ${NAME}."
                yield Note((*path, key), f"{key} stands in the file in clear.", fix=fix)
        elif isinstance(value, BaseModel):
            yield from literal_secrets(value, written, (*path, key))
        elif isinstance(value, list) and isinstance(written, list):
            for index, (item, part) in enumerate(zip(value, written, strict=False)):
                if isinstance(item, BaseModel):
                    yield from literal_secrets(item, part, (*path, key, index))
