"""A batch through all parts, with the carrier as the witness."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from telephony.errors import TrunklineError
from tests.e2e.answerer import Answerer
from tests.e2e.outbound import OutboundLine, outbound_line, trunk
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

AREA = "+1212555"
HOW: dict[str, int | str] = {"1486": 486, "1603": 603, "1200": "answer_and_go"}
LISTED = f"{AREA}1999"
NUMBERS = [f"{AREA}{digits}" for digits in ("1001", "1486", "1999", "1002", "1603", "1003", "1004", "1200")]
ENDED_S = 90.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def carrier() -> AsyncIterator[Answerer]:
    """A carrier whose telephones count."""
    async with Answerer(lambda number: HOW.get(number[-4:], "answer"), talks_s=0.3) as answering:
        yield answering


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(carrier: Answerer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OutboundLine]:
    """A line that may call out through it; parts that die are started again."""
    folder: Path = tmp_path_factory.mktemp("batches")
    async with outbound_line(folder, [trunk("out", carrier.port)], watched=True) as up:
        yield up


async def finished(line: OutboundLine, batch_id: str) -> dict[str, Any]:
    """A batch once it has ended; an api that is away for a moment is waited for."""
    async with limit(ENDED_S):
        while True:
            try:
                async with line.client() as client:
                    batch: dict[str, Any] = await client.get(f"/v1/batches/{batch_id}")
                if batch["finished_at"]:
                    return batch
            except TrunklineError:
                pass
            await asyncio.sleep(0.3)


async def test_a_batch_rings_each_number_once_though_the_api_is_killed(
    line: OutboundLine, carrier: Answerer, tmp_path: Path
) -> None:
    """Eight numbers, one of them on the list, `kill -9` of the api in the middle: nobody is rung twice."""
    async with line.client() as client:
        await client.send("PUT", f"/v1/do-not-call/{LISTED}", {"reason": "asked by letter"})
        rows = [{"to": number, "data": {"n": at}} for at, number in enumerate(NUMBERS)]
        made = await client.send("POST", "/v1/batches", {"rows": rows, "pace_per_s": 5, "concurrency": 2})
    async with limit(ENDED_S):
        while not sum(len(seen.rings) for seen in carrier.seen.values()) >= 2:
            await asyncio.sleep(0.05)
    os.kill(line.line.info().pids["api"], signal.SIGKILL)
    done = await finished(line, made["id"])
    rings = {number: len(carrier.of(number).rings) for number in NUMBERS}
    assert rings[LISTED] == 0
    assert max(rings.values()) == 1, rings
    assert (done["state"], done["done"]) == ("finished", len(NUMBERS))
    async with line.client() as client:
        page = await client.get(f"/v1/batches/{made['id']}/rows")
        size = await client.download(f"/v1/batches/{made['id']}/results", tmp_path / "results.csv")
    outcomes = {row["number"]: row["outcome"] for row in page["rows"]}
    assert outcomes[LISTED] == "blocked"
    # What was in flight at the kill may be unknown, two at most; all else is as the carrier saw it.
    unsure = [number for number, outcome in outcomes.items() if outcome == "unknown"]
    assert len(unsure) <= 2, outcomes
    expected = {f"{AREA}1486": "busy", f"{AREA}1603": "rejected", LISTED: "blocked"}
    for number, outcome in outcomes.items():
        if outcome in ("unknown", "failed"):
            continue
        assert outcome == expected.get(number, "answered"), (number, outcome)
        assert rings[number] == (number != LISTED)
    told = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text("utf-8-sig"), newline="")))
    assert size
    assert [row["number"] for row in told] == NUMBERS


async def test_a_single_call_to_a_listed_number_is_refused_as_well(
    line: OutboundLine, carrier: Answerer
) -> None:
    """The list holds for every call out, not for batches alone."""
    async with line.client() as client:
        await client.send("PUT", f"/v1/do-not-call/{AREA}1777", {"reason": "asked by letter"})
    with pytest.raises(TrunklineError, match=r"do-not-call|must not be called"):
        await line.dial(f"{AREA}1777")
    assert not carrier.of(f"{AREA}1777").rings
