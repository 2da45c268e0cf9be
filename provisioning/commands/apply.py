"""``provision apply``: make livekit-server match the file."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from provisioning.apply import apply_plan
from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.lock import ApplyLock
from provisioning.plan import make_plan
from provisioning.refusals import RefusedError, refusals_of
from provisioning.views.plan import plan_view
from provisioning.views.words import BAD, DIM, GOOD, WARN, counted, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioning.apply import ApplyResult, Written
    from provisioning.plan import Plan

_SHOWN_AT_MOST = 200


async def apply(screen: Screen, config: Path, folder: Path | None, *, yes: bool, wait_s: float) -> int:
    """Plan under the lock, ask before deleting, write, and tell what was written."""
    loaded = read(config, screen, line=line_at(folder), notes=True)
    line_config = loaded.config
    lock = ApplyLock(
        line_config.livekit.url,
        line_config.redis,
        wait_s=wait_s,
        on_wait=lambda: screen.aside("another apply is running; waiting for it to finish"),
    )
    async with service_for(loaded) as service, lock:
        plan = make_plan(line_config, await service.list_all())
        refusals = [loaded.placed(problem) for problem in refusals_of(line_config, plan)]
        if refusals:
            raise RefusedError(refusals)
        screen.show(plan_view(loaded, plan, []))
        if plan.deletions and not yes and not _may_delete(screen, plan):
            return 1
        with _progress(screen, plan) as on_change:
            result = await apply_plan(service, plan, lock=lock, on_change=on_change)
    screen.give({"line": line_config.line, "server": line_config.livekit.url, **result.to_json()})
    _tell(screen, result)
    return 0


def _may_delete(screen: Screen, plan: Plan) -> bool:
    count = counted(len(plan.deletions), "object")
    if screen.as_json or not sys.stdin.isatty():
        screen.aside(f"nothing was applied: {count} would be deleted. Say --yes if that is meant.", BAD)
        screen.give({"error": {"message": f"{count} would be deleted.", "fix": "Say --yes.", "problems": []}})
        return False
    if typer.confirm(f"Delete {count}?", default=False):
        return True
    screen.aside("nothing was applied", WARN)
    return False


@contextlib.contextmanager
def _progress(screen: Screen, plan: Plan) -> Iterator[Callable[[Written], None]]:
    """A bar on a terminal; one line a write elsewhere, unless there are very many."""
    total = sum(len(chain.steps) for chain in plan.chains)
    if screen.is_live and total:
        progress = Progress(
            TextColumn("  applying"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen.error_console,
            transient=True,
        )
        with progress:
            task = progress.add_task("apply", total=total)
            yield lambda _: progress.advance(task)
        return
    told = 0

    def tell(written: Written) -> None:
        nonlocal told
        told += 1
        if told <= _SHOWN_AT_MOST:
            stage = "" if written.stage == "whole" else f" ({written.stage})"
            text = f"{written.action} {written.kind.word} {written.key.partition('/')[2]} {written.id}{stage}"
            screen.say(f"  {text}", DIM)
        elif told % 100 == 0:
            screen.say(f"  {told} of {total} written", DIM)

    yield tell


def _tell(screen: Screen, result: ApplyResult) -> None:
    if not result.writes:
        return
    rate = f", {result.writes / result.duration_s:.0f} a second" if result.duration_s > 1 else ""
    screen.show(
        [line((f"Applied: {counted(result.writes, 'write')}", GOOD), f" in {result.duration_s:.1f} s{rate}.")]
    )
    if result.gaps_ms:
        screen.say(f"Longest moment without service: {max(result.gaps_ms):.0f} ms.")
    if not result.locked_for_all:
        screen.aside("Redis was not reachable, so only this machine was kept from applying at the same time.")
