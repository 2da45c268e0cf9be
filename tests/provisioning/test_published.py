"""The committed schemas are what the code says, and editors and programs can use them."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from provisioning.published import CONFIG_SCHEMA, FOLDER, published
from tests.provisioning.files import SHIPPED
from tests.provisioning.test_config import GUIDE

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("name", sorted(published()))
def test_a_committed_schema_is_what_the_code_says(name: str) -> None:
    """``python -m provisioning.published`` was run after the last change."""
    assert (FOLDER / name).read_text() == published()[name], "run: python -m provisioning.published"


def test_there_is_no_schema_beside_the_published_ones() -> None:
    """What the code no longer says is not left lying about."""
    assert {path.name for path in FOLDER.glob("*.schema.json")} == set(published())


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(published()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", [SHIPPED.read_text(), GUIDE])
def test_good_files_fit_the_schema_as_they_are_written(text: str) -> None:
    """Variables stand where values do, so the unexpanded file is what the schema describes."""
    errors = [error.message for error in validator(CONFIG_SCHEMA).iter_errors(yaml.safe_load(text))]
    assert errors == []


@pytest.mark.parametrize(
    "text",
    [
        "livekit: {api_sceret: x}",
        "bridge: {sip_port: '5060'}",
        "sip_trunks: [{name: a, numbers: [1]}]",
        "speech: {stt: {provider: nobody}}",
        "webhooks: {timeout: soon}",
    ],
)
def test_an_editor_sees_the_mistakes_that_have_a_form(text: str) -> None:
    """Unknown keys, wrong kinds and wrong forms are errors in the schema as well."""
    assert list(validator(CONFIG_SCHEMA).iter_errors(yaml.safe_load(text)))


def test_the_shipped_file_names_the_schema_for_editors() -> None:
    """The modeline leads from the file to the schema."""
    first = SHIPPED.read_text().splitlines()[0]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (SHIPPED.parent / path).resolve() == (FOLDER / CONFIG_SCHEMA).resolve()


@pytest.mark.parametrize("name", sorted(published()))
def test_every_key_is_described(name: str) -> None:
    """Whoever reads a schema learns what each key means; shapes refuse what they do not know."""
    schema = json.loads(published()[name])
    for title, definition in {"": schema, **schema.get("$defs", {})}.items():
        if title and definition.get("type") == "object" and name != CONFIG_SCHEMA:
            assert definition.get("additionalProperties") is False, title
        for key, value in definition.get("properties", {}).items():
            if name == CONFIG_SCHEMA and not title.endswith("Settings"):
                assert value.get("description") or "$ref" in value, (title, key)
