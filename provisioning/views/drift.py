"""Drift as people read it: each field, whose it is, and who changed it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from provisioning.views.plan import change_view, field_rows, foreign_view
from provisioning.views.words import BAD, DIM, GOOD, STRONG, WARN, counted, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.config import LoadedConfig
    from provisioning.drift import Drift

_CAUSES = {
    "hand": (BAD, "changed at LiveKit since the last apply"),
    "file": (WARN, "changed in the file, waits for apply"),
    "either": (WARN, "changed at LiveKit or in the file; which cannot be told"),
}


def drift_view(loaded: LoadedConfig, drift: Drift) -> Iterator[Text]:
    """The drift, and at its end one line that says whether there is any."""
    yield line((f"Line {loaded.config.line}", STRONG), f" at {loaded.config.livekit.url}")
    for key, group in groupby(drift.fields, key=lambda one: (one.kind, one.key, one.id)):
        kind, name, object_id = key
        fields = list(group)
        where = loaded.at(*fields[0].path)
        yield Text()
        head = line("  ", (f"{kind.word} {name.partition('/')[2]}", STRONG), f"  {object_id}")
        head.append_text(line(f"  owned by line {loaded.config.line}, {where}"))
        yield head
        for one in fields:
            style, words = _CAUSES[one.cause]
            yield line("    ", (f"{one.change.field}: {words}", style))
            yield from field_rows([one.change], new=False)
    if drift.missing:
        yield Text()
        words = "deleted at LiveKit, or never applied" if drift.ours else "not applied yet"
        yield line((f"Not there, {words}:", BAD if drift.ours else WARN))
        for change in drift.missing:
            yield line(
                "  ", f"{change.kind.word} {change.key.partition('/')[2]}", f"  {loaded.at(*change.path)}"
            )
    if drift.surplus:
        yield Text()
        yield line(("No longer in the file, apply would delete:", WARN))
        for change in drift.surplus:
            yield from change_view(change, loaded.at)
    yield from foreign_view(drift.foreign)
    yield Text()
    yield _summary(drift)


def _summary(drift: Drift) -> Text:
    by_hand = [one for one in drift.fields if one.cause != "file"]
    if not drift.found:
        rest = " The file has changes that wait for apply." if drift.waits_for_apply else ""
        return line(("No drift.", GOOD), rest)
    parts = []
    if by_hand:
        objects = len({one.id for one in by_hand})
        parts.append(f"{counted(len(by_hand), 'field')} of {counted(objects, 'object')} differ")
    if drift.missing:
        parts.append(f"{counted(len(drift.missing), 'object')} missing")
    return line(
        (f"Drift: {', '.join(parts)}.", BAD), (" `provision apply` brings back what the file says.", DIM)
    )
