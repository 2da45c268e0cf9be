"""The samples answer real calls: each by its number, on one line, all at once; the webhook has the fields."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import yaml

from telephony.line.line import Line, LineOptions
from telephony.workshop.outside import pointed_at, read_answers, simulated
from telephony.workshop.place import find, scripts_of
from tests.e2e.conftest import RunningLine, what_went_wrong
from tests.e2e.sample import CONFIG, a_trunk_each, sample_file
from tests.waiting import limit
from tests.webhooks.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.caller.report import CallReport

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NUMBERS = {
    "starter": "+15550100101",
    "questionnaire": "+15550100102",
    "handover": "+15550100103",
    "weather": "+15550100104",
}
SECRET = "whsec_b25seSBmb3IgdHJ1bmtsaW5lJ3Mgb3duIHRlc3Rz"


def line_file(folder: Path, hook: str, root: str) -> Path:
    """The sample line with a number for each assistant, a webhook, and a weather service on this machine."""
    assistants = folder / "assistants"
    assistants.mkdir()
    weather = pointed_at(find("weather", CONFIG).assistant(), root)
    written = weather.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (assistants / "weather.yaml").write_text(yaml.safe_dump(written))
    endpoint = {"name": "customer", "url": hook, "secret": SECRET, "events": ["call.ended"]}
    return sample_file(
        folder / "line.yaml",
        **a_trunk_each(NUMBERS),
        assistants={"directory": str(assistants), "allowed_networks": ["127.0.0.0/8"]},
        webhooks={"allowed_networks": ["127.0.0.0/8"], "endpoints": [endpoint]},
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hook() -> AsyncIterator[Receiver]:
    """The customer's server."""
    async with Receiver() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samples(
    tmp_path_factory: pytest.TempPathFactory, hook: Receiver
) -> AsyncIterator[dict[str, tuple[CallReport, RunningLine]]]:
    """Every sample called once, all at the same time."""
    folder = tmp_path_factory.mktemp("samples")
    answers = read_answers(find("weather", CONFIG).answers())
    async with simulated(answers) as root:
        config = line_file(folder, hook.url, root)
        line = Line(LineOptions(config, folder / "data", sip_port=0, api_port=0))
        try:
            info = await line.start()
            running = RunningLine(line, info)
            await line.settled()
            host = info.sip.rpartition("@")[2]

            async def call(name: str) -> CallReport:
                _, script = scripts_of(find(name, CONFIG), None)[0]
                return await running.call(script, to=f"sip:{NUMBERS[name]}@{host}")

            reports = await asyncio.gather(*(call(name) for name in NUMBERS))
            yield {name: (report, running) for name, report in zip(NUMBERS, reports, strict=True)}
        finally:
            await line.stop()


@pytest.mark.parametrize("name", list(NUMBERS))
async def test_a_sample_answers_a_call_as_its_script_says(
    samples: dict[str, tuple[CallReport, RunningLine]], name: str
) -> None:
    """Understood, answered, said goodbye to, with the version of its file in the record."""
    report, line = samples[name]
    assert report.ok, what_went_wrong(report)
    assert await line.outcome(report) == "answered"
    started = next(event for event in line.events(report) if event.type == "agent.started")
    assert started.data["assistant"] == name
    version = started.data["config_version"]
    kept = line.line.data.root / "assistants" / name / version / f"{name}.yaml"
    assert kept.is_file(), "the file of that version can be looked up"


async def test_a_questionnaires_answers_reach_the_webhook(
    samples: dict[str, tuple[CallReport, RunningLine]], hook: Receiver
) -> None:
    """The customer is told the fields with the end of the call, signed."""
    async with limit(30):
        while not (told := [got for got in hook.got if "recommends" in str(got.payload)]):
            await asyncio.sleep(0.1)
    text = str(told[-1].payload)
    assert "'mark'" in text
    assert "waiting room" in text.lower()


async def test_the_weathers_server_was_asked_for_the_city(
    samples: dict[str, tuple[CallReport, RunningLine]],
) -> None:
    """The tool's call stands in the record with its checked answer."""
    report, line = samples["weather"]
    called = next(
        event
        for event in line.events(report)
        if event.type == "tool.called" and event.data["name"] == "weather"
    )
    assert called.data["arguments"] == {"city": "Berlin"}
    assert called.data["result"]["temperature"] == 21
