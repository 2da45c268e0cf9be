"""``provision apply``: make livekit-server match the file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from provisioning.apply import ApplyResult, apply_plan
from provisioning.commands.deletions import may_delete
from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.lock import ApplyLock
from provisioning.plan import make_plan
from provisioning.refusals import RefusedError, refusals_of
from provisioning.views.plan import plan_view
from provisioning.views.words import DIM, GOOD, counted, line
from telephony.errors import LiveKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioning.apply import Written
    from provisioning.config import LoadedConfig
    from provisioning.plan import Change, Plan
    from provisioning.sip_service import SipService

_SHOWN_AT_MOST = 200


async def apply(screen: Screen, config: Path, folder: Path | None, *, yes: bool, wait_s: float) -> int:
    """Plan, ask before deleting, plan again under the lock, write, and tell what was written."""
    loaded = read(config, screen, line=line_at(folder), notes=True)
    line_config = loaded.config
    async with service_for(loaded) as service:
        shown = await _plan(loaded, service)
        screen.show(plan_view(loaded, shown, []))
        if not shown.changes:
            await ApplyLock(service).clear_away()
            result = ApplyResult(ids=dict(shown.ids))
        elif not may_delete(screen, shown, yes=yes):
            return 1
        else:
            # Nobody is kept waiting by a question: the lock is taken once the answer is there.
            lock = ApplyLock(
                service,
                wait_s=wait_s,
                on_wait=lambda who: screen.aside(f"another apply is running ({who}); waiting for it"),
            )
            async with lock:
                plan = await _plan(loaded, service)
                if not yes and _names(plan.deletions) - _names(shown.deletions):
                    raise LiveKitError(
                        "somebody changed what there is meanwhile, and more would be deleted now.",
                        fix="Run apply again to see it.",
                        retryable=True,
                    )
                with _progress(screen, plan) as on_change:
                    result = await apply_plan(service, plan, lock=lock, on_change=on_change)
    screen.give({"line": line_config.line, "server": line_config.livekit.url, **result.to_json()})
    _tell(screen, result)
    return 0


async def _plan(loaded: LoadedConfig, service: SipService) -> Plan:
    plan = make_plan(loaded.config, await service.list_all())
    refusals = [loaded.placed(problem) for problem in refusals_of(loaded.config, plan)]
    if refusals:
        raise RefusedError(refusals)
    return plan


def _names(changes: list[Change]) -> set[str]:
    return {change.id for change in changes}


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
