"""From a declared HTTP tool and its arguments to one request, and from its answer to a checked result. Pure.

An argument is always data: percent-encoded in the URL, a JSON value in the body, without control characters
in a header. Of an answer only declared values of the declared types are taken.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from telephony.assistants.http_tool import FIELD, VARIABLE
from telephony.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.http_tool import HttpTool, Value, ValueType
    from telephony.assistants.tools.tool import Result

LONGEST_TEXT: Final = 1000
"""Characters of one text that is taken from an answer."""
LARGEST_VALUE: Final = 4000
"""Characters of a list or object, written as JSON."""

_ABSENT: Final = object()
_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


def request_for(tool: HttpTool, arguments: Mapping[str, Any], env: Mapping[str, str]) -> Request:
    """Write one request.

    Args:
        arguments: checked; those that were not given are absent or None.
        env: where the headers' ``${VAR}`` are looked up.

    Raises:
        AssistantError: a variable is not set, or an argument cannot stand in an URL.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    headers |= {name: _header(text, given, env) for name, text in tool.headers.items()}
    body = None
    if tool.body is not None:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(_filled(tool.body, given), ensure_ascii=False).encode()
    return Request(
        tool.method, FIELD.sub(lambda found: _in_url(given, found.group(1)), tool.url), headers, body
    )


def result_from(tool: HttpTool, answer: Any, arguments: Mapping[str, Any]) -> Result:
    """What an answer says, checked.

    Raises:
        AssistantError: a declared value is missing, or of another type.
    """
    values = {}
    for name, wanted in tool.result.items():
        value = _checked(name, wanted, _at(answer, wanted.path or name))
        if value is not None:
            values[name] = value
    spoken = {key: value for key, value in arguments.items() if value is not None} | values
    text = {"text": spoken_text(tool.say, spoken)} if tool.say else {}
    return {"ok": True, **values, **text}


def refusal_from(tool: HttpTool, status: int, arguments: Mapping[str, Any]) -> Result | None:
    """The answer that an error status is, if the file says that it is one."""
    sentence = tool.statuses.get(str(status))
    if sentence is None:
        return None
    given = {key: value for key, value in arguments.items() if value is not None}
    return {"ok": False, "status": status, "text": spoken_text(sentence, given)}


def spoken_text(template: str, values: Mapping[str, Any]) -> str:
    """A sentence with values in it, numbers without needless decimals."""
    return FIELD.sub(lambda found: _said(values.get(found.group(1), "")), template)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{round(value, 2):g}"
    if isinstance(value, list):
        return ", ".join(_said(item) for item in value)
    return str(value)


def _in_url(given: Mapping[str, Any], name: str) -> str:
    text = _written(given.get(name, ""))
    if text in _DOTS:
        raise AssistantError(f"{text!r} cannot stand in an address.", field=name)
    return quote(text, safe="")


def _header(template: str, given: Mapping[str, Any], env: Mapping[str, str]) -> str:
    def variable(name: str) -> str:
        if not env.get(name):
            raise AssistantError(
                f"the variable {name} is not set.", field=name, fix="Set it in the worker's environment."
            )
        return env[name]

    # The variables last: an argument that is written like one stays what it is.
    parts = VARIABLE.split(template)
    words = [
        variable(part) if number % 2 else FIELD.sub(lambda found: _plain(given.get(found.group(1), "")), part)
        for number, part in enumerate(parts)
    ]
    return "".join(words)


def _plain(value: Any) -> str:
    return "".join(letter for letter in _written(value) if letter.isprintable())


def _written(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | float) else str(value)


def _filled(tree: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(tree, dict):
        filled = {key: _filled(item, given) for key, item in tree.items()}
        return {key: item for key, item in filled.items() if item is not _ABSENT}
    if isinstance(tree, list):
        return [item for item in (_filled(item, given) for item in tree) if item is not _ABSENT]
    if not isinstance(tree, str):
        return tree
    whole = FIELD.fullmatch(tree)
    if whole:
        return given.get(whole.group(1), _ABSENT)
    return FIELD.sub(lambda found: _written(given.get(found.group(1), "")), tree)


def _at(answer: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(answer, list) and step.isdigit() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return None
    return answer


def _checked(name: str, wanted: Value, value: Any) -> Any:
    if value is None:
        if wanted.required:
            raise AssistantError(f"the answer has no {wanted.path or name}.", field=name)
        return None
    if not _is(wanted.type, value):
        raise AssistantError(
            f"the answer's {wanted.path or name} is no {wanted.type}, but {type(value).__name__}.", field=name
        )
    if wanted.type == "text":
        return " ".join(_plain(value).split())[:LONGEST_TEXT]
    if wanted.type in {"list", "object"} and len(json.dumps(value)) > LARGEST_VALUE:
        raise AssistantError(f"the answer's {wanted.path or name} is too large.", field=name)
    return value


def _is(kind: ValueType, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"text": str, "list": list, "object": dict}[kind])
