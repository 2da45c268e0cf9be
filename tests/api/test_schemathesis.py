from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from tests.api.threaded import ThreadedApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.component


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[ThreadedApi]:
    """An api with two calls in it."""
    with ThreadedApi(database_url, tmp_path) as api:
        yield api


CHECKED: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_breaks_the_api_or_its_document(running: ThreadedApi, mode: GenerationMode) -> None:
    """Requests made from the document, right and wrong ones: no 5xx, no answer that it does not name."""
    schema = schemathesis.openapi.from_url(f"{running.base}/openapi.json")
    run = settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def ask(case: Any) -> None:
        case.call_and_validate(
            base_url=running.base,
            headers={"Authorization": f"Bearer {running.key}"},
            checks=CHECKED,
            timeout=20,
        )

    asked = 0
    operations: Any = schema.get_all_operations()
    for operation in (found.ok() for found in operations):
        # Streams do not end by themselves, and a test delivery would leave the machine.
        if not operation.path.endswith(("/stream", "/listen", "/test")):
            asked += 1
            attempt: Any = given(operation.as_strategy(generation_mode=mode))
            # What has no parameter cannot be asked wrongly.
            with contextlib.suppress(Unsatisfiable):
                run(attempt(ask))()
    assert asked > 20


def test_what_one_answer_gave_can_be_used_in_the_next_request(running: ThreadedApi) -> None:
    """Made, read, changed and deleted in sequences that the document implies: the same promises hold."""
    schema = schemathesis.openapi.from_url(f"{running.base}/openapi.json")
    machine: Any = schema.exclude(path_regex="/(stream|listen|test)$").as_state_machine()

    class Sequences(machine):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {running.key}"}, "timeout": 20}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKED)

    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=8,
            stateful_step_count=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
