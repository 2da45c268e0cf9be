from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from tests.api.asking import asking, from_sources
from tests.api.asking import settings as api_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.component


class _Running:
    """An api in a thread of its own loop, since schemathesis asks synchronously."""

    def __init__(self, url: str, folder: Path) -> None:
        import asyncio

        self.base = self.key = ""
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(url, folder)))
        self._thread.start()
        assert self._ready.wait(30)

    async def _run(self, url: str, folder: Path) -> None:
        import asyncio

        async with asking(api_settings(url, folder)) as api:
            await api.hand_in(from_sources("call_abcdef"))
            await api.hand_in(from_sources("call_opened")[:2])
            self.base, self.key = str(api.http.base_url), api.admin
            self._ready.set()
            while not self._stop.is_set():
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[_Running]:
    """An api with two calls in it."""
    api = _Running(database_url, tmp_path)
    yield api
    api.stop()


CHECKED: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_breaks_the_api_or_its_document(running: _Running, mode: GenerationMode) -> None:
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
