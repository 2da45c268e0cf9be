"""Write the JSON Schemas that are published: of the operator's file, and of every command's JSON.

``python -m provisioning.published`` writes them into ``docs/provisioning``; a test fails when they are not
what the code says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from provisioning.config import LineConfig
from provisioning.shapes import PUBLISHED

FOLDER = Path(__file__).parent.parent / "docs" / "provisioning"
CONFIG_SCHEMA = "livekit-sip.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_]",
    "description": "from the environment: ${NAME}, ${NAME:-default} or ${NAME:?message}",
}
_CONVERTED = frozenset({"integer", "number", "boolean"})


def published() -> dict[str, str]:
    """File name to text, for every schema."""
    schemas = {CONFIG_SCHEMA: config_schema()}
    for name, shape in PUBLISHED.items():
        schema = TypeAdapter(shape).json_schema(mode="serialization")
        schemas[f"{name}.schema.json"] = {"$schema": _DIALECT, "title": f"provision {name}", **schema}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def config_schema() -> dict[str, Any]:
    """The schema by which editors complete keys: the strict models, and ``${…}`` wherever a value stands."""
    schema = LineConfig.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    definitions["Variable"] = _VARIABLE
    for definition in [schema, *definitions.values()]:
        properties = definition.get("properties", {})
        for name, value in properties.items():
            properties[name] = _or_variable(value)
    _or_named(schema["properties"], "sip_trunks")
    _or_named(definitions["RoutingSection"]["properties"], "inbound_rules")
    return {
        "$schema": _DIALECT,
        "title": "The operator's one file",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or a variable: needed where a text is not allowed, or only some texts are."""
    if "items" in schema:
        schema = {**schema, "items": _or_variable(schema["items"])}
    options = schema.get("anyOf", [schema])
    kinds = {option.get("type") for option in options}
    if "const" in schema:
        return schema  # chooses which keys may stand beside it, so it must be seen in the file
    narrow = any({"pattern", "enum"} & option.keys() for option in options)
    if not kinds & _CONVERTED and not narrow:
        return schema
    about: dict[str, Any] = {key: schema[key] for key in ("description", "default", "title") if key in schema}
    bare = {key: value for key, value in schema.items() if key not in about and key != "anyOf"}
    first = options if "anyOf" in schema else [bare]
    return {**about, "anyOf": [*first, {"$ref": "#/$defs/Variable"}]}


def _or_named(properties: dict[str, Any], name: str) -> None:
    """A list of entries may also be written as a mapping of names to entries."""
    listed = properties[name]
    named = {"type": "object", "additionalProperties": {"type": "object"}}
    about: dict[str, Any] = {
        key: listed.pop(key) for key in ("description", "default", "title") if key in listed
    }
    properties[name] = {**about, "anyOf": [listed, named]}


def main() -> int:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in published().items():
        (FOLDER / name).write_text(text)
        sys.stdout.write(f"{FOLDER / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
