"""The questionnaire of a call: what an assistant declared to collect, what it got, what is missing.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telephony.calls.record import CallRecord


def declared(record: CallRecord) -> list[dict[str, Any]]:
    """The fields the assistant of this call declares, as ``telephony.calls.shapes.DeclaredField``."""
    stated = record.value("declared_fields") or []
    return [field for field in stated if isinstance(field, dict) and field.get("name")]


def collected(record: CallRecord) -> dict[str, dict[str, Any]]:
    """Name to value, confidence and turn of every field that has a value."""
    found = {
        name.removeprefix("field."): known.value
        for name, known in record.facts.items()
        if name.startswith("field.")
    }
    return {
        name: value if isinstance(value, dict) else {"value": value}
        for name, value in sorted(found.items())
        if not isinstance(value, dict) or value.get("value") not in (None, "")
    }


def missing_fields(record: CallRecord) -> list[str]:
    """The required fields that have no value, in the order they were declared."""
    have = collected(record)
    return [
        str(field["name"])
        for field in declared(record)
        if field.get("required") and field["name"] not in have
    ]
