"""A plan as people read it: what is made, changed and deleted, field by field, and what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from provisioning.views.words import (
    BAD,
    DIM,
    GOOD,
    STRONG,
    WARN,
    columns,
    counted,
    flattened,
    line,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provisioning.clashes import Foreign
    from provisioning.config import LoadedConfig
    from provisioning.fields import FieldChange
    from provisioning.plan import Change, Plan
    from provisioning.reading.problem import Problem

_SIGNS = {"create": ("+", GOOD), "update": ("~", WARN), "delete": ("-", BAD)}
_SHOWN_AT_MOST = 100


def plan_json(loaded: LoadedConfig, plan: Plan, refusals: Sequence[Problem]) -> dict[str, Any]:
    """The published shape of a plan."""
    return {
        "line": loaded.config.line,
        "server": loaded.config.livekit.url,
        "file": str(loaded.file),
        "changes": [change.to_json() for change in plan.changes],
        "unchanged": plan.unchanged,
        "not_ours": [foreign.to_json() for foreign in plan.foreign],
        "gaps": [gap.to_json() for chain in plan.chains for gap in chain.gaps],
        "refusals": [problem.to_json() for problem in refusals],
    }


def plan_view(loaded: LoadedConfig, plan: Plan, refusals: Sequence[Problem]) -> Iterator[Text]:
    """The plan, and at its end one line that says what an apply would do."""
    yield line((f"Line {loaded.config.line}", STRONG), f" at {loaded.config.livekit.url}")
    if plan.changes:
        yield Text()
    for change in plan.changes[:_SHOWN_AT_MOST]:
        yield from change_view(change, loaded.at)
    if len(plan.changes) > _SHOWN_AT_MOST:
        yield line((f"  … and {len(plan.changes) - _SHOWN_AT_MOST} more; --output json has them all", DIM))
    yield from _gaps(plan)
    yield from foreign_view(plan.foreign)
    yield from refusals_view(refusals)
    yield Text()
    yield line((_summary(plan, refusals), STRONG))


def change_view(change: Change, at: Callable[..., str]) -> Iterator[Text]:
    """One object with its fields."""
    sign, style = _SIGNS[change.verb]
    name = change.key.partition("/")[2] or change.key
    where = at(*change.path) if change.path else ""
    head = line("  ", (f"{sign} {change.kind.word} {name}", style), f"  {change.id}" if change.id else "")
    if where:
        head.append_text(line("  ", (where, DIM)))
    yield head
    if change.reason:
        yield line("      ", (f"because {change.reason}", DIM))
    if change.verb != "delete":
        yield from field_rows(change.fields, change.verb == "create")


def field_rows(fields: Sequence[FieldChange], new: bool) -> list[Text]:
    """Fields with old and new value; nested ones by their dotted names, and only what differs."""
    rows: list[Sequence[str | Text]] = []
    for change in fields:
        before = dict(flattened(change.before, change.field)) if change.before is not None else {}
        after = dict(flattened(change.after, change.field)) if change.after is not None else {}
        names = [*after, *(name for name in before if name not in after)]
        for name in names:
            old, now = before.get(name), after.get(name)
            if new:
                rows.append((name, line((value_text(now), GOOD))))
            elif old != now or change.secret:
                arrow = line((value_text(old), BAD), " → ", (value_text(now), GOOD))
                rows.append((name, arrow))
        if not new and change.before == change.after:
            rows.append((change.field, line(("changed, but secret", WARN))))
    return columns(rows, indent=6)


def foreign_view(foreign: Sequence[Foreign]) -> Iterator[Text]:
    """What is not ours, one a line."""
    if not foreign:
        return
    yield Text()
    yield line((f"Not of this line, left alone: {counted(len(foreign), 'object')}", DIM))
    rows: list[Sequence[str | Text]] = []
    for one in foreign[:_SHOWN_AT_MOST]:
        owner = f"line {one.owner}" if one.owner else "nobody's (made by hand or by another tool)"
        rows.append((one.live.kind.word, one.live.id, repr(one.live.message.name), owner))
    yield from columns(rows)
    if len(foreign) > _SHOWN_AT_MOST:
        yield line((f"  … and {len(foreign) - _SHOWN_AT_MOST} more", DIM))


def refusals_view(refusals: Sequence[Problem]) -> Iterator[Text]:
    """Why apply would refuse."""
    if not refusals:
        return
    yield Text()
    yield line(("apply would refuse this:", BAD))
    for problem in refusals:
        yield line("  ", (str(problem.message), BAD))
        if problem.position:
            yield line("    at ", f"{problem.position}")
        if problem.fix:
            yield line("    ", problem.fix)


def _gaps(plan: Plan) -> Iterator[Text]:
    gaps = [gap for chain in plan.chains for gap in chain.gaps]
    if not gaps:
        return
    yield Text()
    numbers = sorted({gap.number or "any other number" for gap in gaps})
    shown = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    yield line(
        (f"A moment without service: {shown}", WARN),
        ". LiveKit keeps a number in one trunk only, so it is let go and taken in two writes, "
        "a few milliseconds apart; if the second fails, the first is taken back.",
    )


def _summary(plan: Plan, refusals: Sequence[Problem]) -> str:
    if refusals:
        return "Nothing would be applied."
    if not plan.changes:
        return f"Nothing to do: {counted(len(plan.unchanged), 'object')} as the file says."
    verbs = [change.verb for change in plan.changes]
    counts = [
        (verbs.count("create"), "to create"),
        (verbs.count("update"), "to change in place"),
        (verbs.count("delete"), "to delete"),
    ]
    parts = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f"Plan: {parts}; {len(plan.unchanged)} as they should be."
