from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema_rs import validator_for

from telephony.api.published import openapi, schemas
from telephony.calls.events import EVENT_TYPES, LINE_EVENT_TYPES

pytestmark = pytest.mark.pure


def test_the_published_document_is_the_one_that_is_served() -> None:
    """docs/api/openapi.json is what the code answers for; a change is written there on purpose."""
    assert Path("docs/api/openapi.json").read_text() == openapi(), "python -m telephony.api openapi"


def test_the_published_schemas_are_those_of_what_is_sent() -> None:
    """docs/events has exactly one schema and one example for each type, as the code has them."""
    published = {path.name: path.read_text() for path in Path("docs/events").glob("*.json")}
    assert published == schemas(), "python -m telephony.api schemas"
    types = {name.removesuffix(".schema.json") for name in published if name.endswith(".schema.json")}
    assert types == EVENT_TYPES | LINE_EVENT_TYPES


def test_every_example_matches_its_schema() -> None:
    """What the documentation shows is what would be sent."""
    files = schemas()
    examples = [name for name in files if name.endswith(".example.json")]
    assert len(examples) == len(EVENT_TYPES | LINE_EVENT_TYPES)
    for name in examples:
        schema = json.loads(files[name.replace(".example.", ".schema.")])
        validator_for(schema, validate_formats=True).validate(json.loads(files[name]))


def test_everything_that_is_documented_has_problems_and_a_scope() -> None:
    """Each /v1 operation asks for a key and says which problems it may answer with."""
    document = json.loads(openapi())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            if path.startswith("/v1/"):
                assert operation["security"] == [{"ApiKey": []}], (method, path)
                assert {"401", "403", "429", "503"} <= operation["responses"].keys(), (method, path)
