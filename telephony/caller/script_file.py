"""Read a script from YAML, and say for every mistake which line and which key it is.

All mistakes are reported at once. Only plain YAML data is accepted, and a key given twice is a mistake.
"""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from telephony.caller import script as schema
from telephony.caller.script import Script
from telephony.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

_MAX_BYTES = 256 * 1024
_KNOWN_KEYS = sorted(
    {
        name
        for model in vars(schema).values()
        if isinstance(model, type) and issubclass(model, schema.ScriptModel)
        for name in model.model_fields
    }
    - {"lines"}
)


def load_script(name_or_path: str | Path) -> Script:
    """Read one script.

    Args:
        name_or_path: a file, or the name of a script that comes with the package, such as ``demo``.

    Raises:
        ScriptError: it cannot be read, or is wrong; the message names every line and key at fault.
    """
    path = Path(name_or_path)
    if not path.exists() and str(name_or_path) in shipped_scripts():
        path = _shipped_directory() / f"{name_or_path}.yaml"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScriptError(
            f"the script cannot be read: {error.strerror or error}.",
            field=str(path),
            fix=f"Name a file, or one of the scripts that come with it: {', '.join(shipped_scripts())}.",
        ) from error
    if len(data) > _MAX_BYTES:
        raise ScriptError(f"the script is larger than {_MAX_BYTES} bytes.", field=str(path))
    return parse_script(data.decode("utf-8", errors="replace"), source=path.name)


def shipped_scripts() -> list[str]:
    """Names of the scripts that come with the package."""
    return sorted(path.stem for path in _shipped_directory().glob("*.yaml"))


def parse_script(text: str, *, source: str = "script") -> Script:
    """Read a script from a string; ``source`` is what messages call it.

    Raises:
        ScriptError: it is not YAML, or not a script.
    """
    try:
        aliases = [
            event.start_mark.line + 1 if event.start_mark else 1
            for event in yaml.parse(text)
            if isinstance(event, yaml.AliasEvent)
        ]
        node = None if aliases else yaml.compose(text, Loader=yaml.SafeLoader)
        raw = None if aliases else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ScriptError(_yaml_problem(error), field=source, fix="Correct the YAML there.") from error
    if aliases:
        # An alias can stand for itself or for a thousand copies; a script needs none.
        raise ScriptError(
            f"line {aliases[0]}: has an alias (*).",
            field=source,
            fix="Write the value out, or put it in quotes.",
        )
    if not isinstance(node, yaml.MappingNode) or not isinstance(raw, dict):
        raise ScriptError(
            "the script is not a mapping.", field=source, fix="Begin with `name:` and a list under `steps:`."
        )
    problems = [(line, f"{key}: given twice") for line, key in _repeated_keys(node)]
    if "lines" in raw:
        problems.append((_line(node, ["lines"]), "lines: unknown key"))
        raw = {key: value for key, value in raw.items() if key != "lines"}
    script: Script | None = None
    try:
        script = Script.model_validate({**raw, "lines": tuple(_step_lines(node))})
    except ValidationError as error:
        problems += [_sentence(node, detail) for detail in error.errors()]
    if problems or script is None:
        sentences = [f"line {line}: {what}" for line, what in sorted(problems)]
        raise ScriptError("\n  ".join(["the script is wrong:", *sentences]), field=source)
    return script


def _shipped_directory() -> Path:
    return Path(str(resources.files("telephony.caller"))) / "scripts"


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"not YAML, line {mark.line + 1}, column {mark.column + 1}: {error.problem}."
    return f"not YAML: {error}."


def _repeated_keys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, str(key.value)
            seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)


def _step_lines(node: yaml.MappingNode) -> list[int]:
    for key, value in node.value:
        if key.value == "steps" and isinstance(value, yaml.SequenceNode):
            return [item.start_mark.line + 1 for item in value.value]
    return []


def _line(root: yaml.Node, path: Iterable[Any]) -> int:
    """Line of the deepest node of ``path`` that exists; names that are not in the file are passed over.

    pydantic puts the tag of a union into its paths, and short forms add keys nobody wrote.
    """
    node, line = root, root.start_mark.line + 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line + 1
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _sentence(root: yaml.Node, detail: ErrorDetails) -> tuple[int, str]:
    parts = [
        part for index, part in enumerate(detail["loc"]) if index == 0 or part != detail["loc"][index - 1]
    ]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return _line(root, detail["loc"]), f"{where or 'script'}: {_what(detail, parts)}"


def _what(detail: ErrorDetails, parts: list[Any]) -> str:
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(parts[-1]), _KNOWN_KEYS, n=1)
        return "unknown key" + (f", did you mean {near[0]}?" if near and near[0] != parts[-1] else "")
    if kind == "missing":
        return "is missing"
    if kind == "string_type":
        return "must be text: write it in quotes"
    if kind == "string_pattern_mismatch":
        return f"{given!r} has something that is no DTMF digit: 0-9, A-D, *, # and w for half a second"
    message = detail["msg"]
    return message.removeprefix("Value error, ")
