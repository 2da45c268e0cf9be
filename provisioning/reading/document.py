"""YAML text to plain values, with the line and column of every one of them.

Scalars follow the core schema of YAML 1.2 (section 10.3), not PyYAML's YAML 1.1: ``NO`` is a
string, ``012`` is the number 12, ``1:30`` is a string. Nothing is constructed from tags, keys are
strings and unique, and the work is bounded, so that no file can do more than be refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from provisioning.reading.problem import Path, Position, Problem

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 1_000_000
MAX_DEPTH = 40

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_STR_TAG = "tag:yaml.org,2002:str"
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
)
_LONGEST_NUMBER = 400
_OPENED = re.compile(r"[\[{]")


@dataclass(slots=True)
class Document:
    """A parsed file.

    Attributes:
        tree: dict, list, str, int, float, bool or None.
        positions: where each value stands; for a value in a mapping, where its key stands.
        written: the text of each unquoted scalar, as the file has it.
        problems: what is wrong with the YAML itself; the tree is then incomplete.
    """

    tree: Any = None
    positions: dict[Path, Position] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse_document(data: bytes) -> Document:
    """Parse one YAML document; problems are collected in the result, never raised."""
    document = Document()
    try:
        text = _text_of(data)
        node = yaml.compose(text, Loader=_Loader)
    except _NotReadableError as error:
        document.problems.append(Problem((), str(error), Position(1, 1)))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
    except yaml.YAMLError as error:
        first_line = str(error).splitlines()[0]
        document.problems.append(Problem((), f"not readable as YAML: {first_line}.", Position(1, 1)))
    except RecursionError:
        document.problems.append(Problem((), "the file is nested too deeply.", Position(1, 1)))
    else:
        if node is not None:
            document.tree = _Reader(document).value(node, (), 0)
    return document


class _Loader(yaml.CSafeLoader):
    """libyaml's composer: forty times as fast as the pure one on files of a thousand trunks."""


class _NotReadableError(Exception):
    pass


def _text_of(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _NotReadableError(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _NotReadableError(f"the file is not UTF-8 (byte {error.start}).") from error
    # libyaml recurses on the C stack: deep flow nesting must not reach it.
    if len(_OPENED.findall(text)) > MAX_DEPTH and _flow_depth(text) > 10 * MAX_DEPTH:
        raise _NotReadableError("the file is nested too deeply.")
    return text


def _flow_depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}" and depth:
            depth -= 1
    return deepest


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    detail = " ".join(part for part in (error.context, error.problem) if part)
    return Problem((), f"not YAML: {detail}.", position)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        position = _position(node)
        self._document.positions.setdefault(path, position)
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH or id(node) in self._open:
            if self._nodes <= MAX_NODES + 1:
                self._problem(path, "nested too deeply, or repeated by aliases too often.", position)
            return None
        if node.tag not in _PLAIN_TAGS:
            self._problem(path, f"the tag {node.tag!r} has no meaning here.", position)
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, n), depth + 1) for n, item in enumerate(node.value)]
            return self._mapping(node, path, depth)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            position = _position(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, "a key must be a single word.", position)
                continue
            key = str(key_node.value)
            if key in result:
                first = self._document.positions[(*path, key)]
                self._problem((*path, key), f"the key is written twice, first at {first}.", position)
                continue
            self._document.positions[(*path, key)] = position
            result[key] = self.value(value_node, (*path, key), depth + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        if node.style:  # libyaml says '' for plain, the pure composer None
            return text
        self._document.written[path] = text
        if node.tag == _STR_TAG:
            return text
        return core_scalar(text)

    def _problem(self, path: Path, message: str, position: Position) -> None:
        self._document.problems.append(Problem(path, message, position))


def core_scalar(text: str) -> str | int | float | bool | None:
    """Resolve an unquoted scalar by YAML 1.2's core schema."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.match(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _position(node: yaml.Node) -> Position:
    mark = node.start_mark
    return Position(mark.line + 1, mark.column + 1)
