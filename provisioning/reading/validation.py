"""pydantic's verdict on a tree, as problems with line, column and the nearest known key.

Values that came out of the environment are texts; where the model wanted a number or a truth
value they are converted and the tree is looked at again. Literals never are.
"""

from __future__ import annotations

import difflib
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from provisioning.reading.document import core_scalar
from provisioning.reading.expansion import MISSING, Expanded
from provisioning.reading.problem import Path, Problem, position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

    from provisioning.reading.document import Document

Model = TypeVar("Model", bound=BaseModel)

_MAX_ROUNDS = 3
_SECRET_WORDS = ("secret", "password", "pin", "token", "api_key")
_RETIRED = {
    "log_level": "Write logging: {level: …}.",
    "bind_address": "Write bridge: {listen_ip: …}.",
    "flood_protection": "There is no such thing; limit callers by allowed_addresses.",
    "sip": "Write sip_trunks, routing and bridge.",
    "<<": "Merge keys are not YAML 1.2; repeat the lines.",
}
"""Keys seen in articles that do nothing in LiveKit, or stand elsewhere here."""


def validate_tree(
    model: type[Model], document: Document, read_secret: Callable[[str], str]
) -> tuple[Model | None, list[Problem]]:
    """Validate a document's tree.

    Returns:
        The model and no problems, or None and every problem found.
    """
    tree = document.tree
    for _ in range(_MAX_ROUNDS):
        try:
            return model.model_validate(tree, context={"read_secret": read_secret}), []
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=True)
            tree, changed = _convert_expanded(tree, details, document.positions)
            if not changed:
                return None, _problems(model, document, tree, details)
    return None, _problems(model, document, tree, details)


def _convert_expanded(
    tree: Any, details: list[ErrorDetails], positions: Mapping[Path, Any]
) -> tuple[Any, bool]:
    changed = False
    for detail in details:
        value = detail["input"]
        if not isinstance(value, Expanded):
            continue
        wanted = detail["type"].removesuffix("_type")
        converted = core_scalar(value) if wanted in {"int", "float", "bool"} else value
        if isinstance(converted, str):
            continue
        tree, changed = _replace(tree, _present(detail["loc"], tree), converted), True
    return tree, changed


def _replace(tree: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return {**tree, step: _replace(tree[step], rest, value)}
    return [_replace(item, rest, value) if n == step else item for n, item in enumerate(tree)]


def _present(location: tuple[str | int, ...], tree: Any) -> Path:
    """The part of pydantic's location that the tree has: names of union members are not in it."""
    path: list[str | int] = []
    for step in location:
        in_list = isinstance(tree, list) and isinstance(step, int) and step < len(tree)
        if in_list or (isinstance(tree, dict) and step in tree):
            tree = tree[step]
            path.append(step)
    return tuple(path)


def _problems(
    model: type[BaseModel], document: Document, tree: Any, details: list[ErrorDetails]
) -> list[Problem]:
    problems = []
    for detail in details:
        if detail["input"] is MISSING:
            continue
        path = _present(detail["loc"], tree)
        message, fix = _worded(model, document, tree, path, detail)
        if detail["type"] == "missing":
            path = (*path, detail["loc"][-1])
        if detail["type"] == "at_key":
            path = (*path, detail["ctx"]["key"])
        problems.append(Problem(path, message, position_of(path, document.positions), fix))
    return problems


def _worded(
    model: type[BaseModel], document: Document, tree: Any, path: Path, detail: ErrorDetails
) -> tuple[str, str | None]:
    kind, value = detail["type"], detail["input"]
    secret = any(word in str(step) for step in path for word in _SECRET_WORDS)
    if kind == "extra_forbidden":
        return "there is no such key here.", _nearest(model_at(model, path[:-1], tree), str(path[-1]))
    if kind == "missing":
        return "is missing.", None
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        written = document.written.get(path, str(value))
        shown = '"…"' if secret else f'"{written}"'
        return "must be text, and without quotes this is a number.", f"Put it in quotes: {shown}."
    if kind == "string_type":
        return f"must be text, not {_kind_of(value)}.", None
    if kind in {"value_error", "at_key"}:
        return _sentence(detail["msg"].removeprefix("Value error, ")), None
    if kind in {"int_type", "float_type", "bool_type", "list_type", "dict_type", "model_type"}:
        wanted = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "list": "a list",
            "dict": "a mapping",
            "model": "a mapping",
        }[kind.removesuffix("_type")]
        quoted = isinstance(value, str) and not isinstance(core_scalar(value), str)
        return f"must be {wanted}, not {_kind_of(value)}.", "Leave the quotes out." if quoted else None
    if kind == "string_pattern_mismatch":
        wanted = _described(model, path, tree)
        return f"is not written as it must be: {wanted}", None
    return _sentence(detail["msg"].replace("Input should", "must", 1)), None


def _described(model: type[BaseModel], path: Path, tree: Any) -> str:
    while path and isinstance(path[-1], int):
        path = path[:-1]
    owner = model_at(model, path[:-1], tree)
    if owner is not None and path:
        for name, info in owner.model_fields.items():
            if path[-1] in {name, info.alias} and info.description:
                return info.description
    return "letters, digits and plain punctuation."


def _sentence(text: str) -> str:
    text = text[:1].lower() + text[1:]
    return text if text.endswith(".") else text + "."


def _kind_of(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    if value is None:
        return "nothing"
    return next((word for kind, word in kinds.items() if isinstance(value, kind)), "text")


def _nearest(owner: type[BaseModel] | None, key: str) -> str | None:
    if owner is None:
        return _RETIRED.get(key)
    known = [info.alias or name for name, info in owner.model_fields.items()]
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return _RETIRED.get(key, f"Known keys: {', '.join(sorted(known))}.")


def model_at(model: type[BaseModel], path: Path, tree: Any = None) -> type[BaseModel] | None:
    """The model that describes the mapping at a path; None where any key is allowed."""
    current: Any = model
    for step in path:
        tree = _child(tree, step)
        if isinstance(step, int):
            current = next(iter(get_args(_bare(current))), None)
        elif isinstance(current, type) and issubclass(current, BaseModel):
            fields = {info.alias or name: info for name, info in current.model_fields.items()}
            info = fields.get(step) or current.model_fields.get(step)
            current = info.annotation if info else None
        elif get_origin(_bare(current)) is dict:
            current = get_args(_bare(current))[1]
        else:
            return None
        current = _member(_bare(current), tree)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _child(tree: Any, step: str | int) -> Any:
    if isinstance(tree, dict):
        return tree.get(step)
    if isinstance(tree, list) and isinstance(step, int) and step < len(tree):
        return tree[step]
    return None


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _member(annotation: Any, tree: Any) -> Any:
    """Choose among the members of a union by a literal that the tree gives (``provider``), else the first."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation
    members = [_bare(member) for member in get_args(annotation) if member is not type(None)]
    if len(members) == 1:
        # An optional union: ``(A | B) | None`` with a discriminator inside.
        return _member(members[0], tree)
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    given = tree if isinstance(tree, dict) else {}
    for candidate in models:
        for name, info in candidate.model_fields.items():
            if get_origin(info.annotation) is Literal and given.get(name) in get_args(info.annotation):
                return candidate
    return (models or members)[0]
