"""What is published of the api: its OpenAPI document, and the events' schemas with examples.

Both are generated from the code that really answers and really sends; a test compares them with what
is in docs, so that nothing changes unannounced.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from telephony.api.app import create_app
from telephony.api.examples import EXAMPLES
from telephony.calls.shapes import DATA, LINE_DATA

if TYPE_CHECKING:
    from pathlib import Path

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def openapi() -> str:
    """docs/api/openapi.json."""
    document = create_app(None).openapi()
    document["info"]["version"] = "1"
    return _text(document)


def schemas() -> dict[str, str]:
    """docs/events: one schema and one example for each type of event, by file name."""
    files = {}
    for event_type, model in sorted({**DATA, **LINE_DATA}.items()):
        files[f"{event_type}.schema.json"] = _text(envelope(event_type, model.model_json_schema()))
        files[f"{event_type}.example.json"] = _text(EXAMPLES[event_type])
    return files


def envelope(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The schema of a whole payload of one type."""
    definitions = data.pop("$defs", {})
    of_line = event_type in LINE_DATA
    call_id = {"type": "null"} if of_line else {"type": "string", "pattern": "^call_[0-9A-Za-z]{6,64}$"}
    return {
        "$schema": DRAFT,
        "title": event_type,
        "description": data.get("description", ""),
        "type": "object",
        "required": ["id", "type", "timestamp", "call_id", "seq", "source", "late", "data"],
        "properties": {
            "id": {"type": "string", "description": "The same for every attempt and replay."},
            "type": {"const": event_type},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened, UTC."},
            "call_id": call_id,
            "seq": {
                "type": "integer",
                "minimum": 0 if of_line else 1,
                "description": "1, 2, 3 … for each call, without gaps.",
            },
            "source": {"type": "string"},
            "late": {"type": "boolean", "description": "Whether it came after the call's end."},
            "data": data,
        },
        **({"$defs": definitions} if definitions else {}),
    }


def write_openapi(folder: Path) -> None:
    """Write the document."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openapi.json").write_text(openapi())


def write_schemas(folder: Path) -> None:
    """Write the schemas and examples."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
