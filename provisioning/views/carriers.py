"""A carrier's facts as people read them: value, how sure, who says so; and what to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from provisioning.views.words import BAD, DIM, GOOD, STRONG, WARN, columns, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provisioning.carriers.pack import Fact, Pack

_SURE = {"official": GOOD, "tested": GOOD, "field": WARN, "inferred": WARN, "unknown": BAD}


def carriers_view(packs: Sequence[Pack], used: Mapping[str, list[str]]) -> Iterator[Text]:
    """All carriers, one a line."""
    rows: list[Sequence[str | Text]] = [
        (
            line((pack.id, STRONG)),
            pack.name,
            f"{len(_known(pack))} of {len(_facts(pack))} facts known",
            line((_used_words(used.get(pack.id, [])), GOOD)),
        )
        for pack in packs
    ]
    yield from columns(rows, indent=0)
    yield Text()
    yield line(("`provision carriers NAME` shows the facts with their sources.", DIM))


def carrier_view(pack: Pack, used: Sequence[str] = ()) -> Iterator[Text]:
    """One carrier with everything that is known, and not known."""
    yield line((pack.name, STRONG), f"  carrier: {pack.id}", (f"  sources read on {pack.checked}", DIM))
    yield line(pack.summary)
    if used:
        yield line((_used_words(used), GOOD))
    if pack.platforms:
        yield line(f"Platforms: {', '.join(pack.platforms)}; the file must say which (platform: …).")
    yield Text()
    rows: list[Sequence[str | Text]] = []
    for name, fact in _facts(pack).items():
        value = getattr(fact, "value", None)
        shown = ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
        sure = line((fact.confidence, _SURE[fact.confidence]))
        rows.append((name, shown if value is not None else line(("not known", BAD)), sure))
        if fact.source:
            rows.append(("", line((f"  {fact.source}", DIM))))
        if fact.note:
            rows.append(("", f"  {fact.note}"))
        if fact.ask:
            rows.append(("", line(("  ask: ", WARN), fact.ask)))
    yield from columns(rows)
    if pack.traps:
        yield Text()
        yield line(("Traps", STRONG))
        for trap in pack.traps:
            yield line("  ", trap.text, (f"  ({trap.source})", DIM))
    if pack.page:
        yield Text()
        yield line(f"More: {pack.page}")


def _used_words(trunks: Sequence[str]) -> str:
    return f"used by {', '.join(trunks)}" if trunks else ""


def _facts(pack: Pack) -> dict[str, Fact]:
    return {name: getattr(pack.facts, name) for name in type(pack.facts).model_fields}


def _known(pack: Pack) -> list[str]:
    return [name for name, fact in _facts(pack).items() if fact.confidence != "unknown"]


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
