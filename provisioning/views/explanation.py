"""An explanation as people read it: the verdict first, then what decided, then every candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from provisioning.views.words import BAD, DIM, GOOD, STRONG, WARN, columns, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.explain import Candidate, Explanation

_VERDICTS = {
    "accepted": ("✓ gets through", GOOD),
    "pin": ("✓ gets through, after a PIN", GOOD),
    "dropped": ("✗ does not get through", BAD),
    "refused": ("✗ is refused", BAD),
}
_SIGNS = {"picked": ("✓ picked", GOOD), "takes": ("· would take it", DIM), "refuses": ("✗ refuses", BAD)}


def explanation_view(result: Explanation, *, based_on: str) -> Iterator[Text]:
    """Everything about one hypothetical call."""
    call = result.call
    words, style = _VERDICTS[result.verdict]
    yield line(
        f"A call from {call.from_user} to {call.to_user}, sent by {call.source_ip}, ",
        (words, f"bold {style}"),
    )
    yield line(result.sentence)
    if result.fix:
        yield line(("What to change: ", STRONG), result.fix)
    if result.because:
        yield Text()
        yield line(("Because", STRONG))
        for reason in result.because:
            yield line("  ", reason)
    for kind, heading in (("trunk", "Inbound trunks"), ("rule", "Dispatch rules")):
        candidates = [one for one in result.candidates if one.kind == kind]
        if candidates:
            yield Text()
            yield line((heading, STRONG))
            yield from _candidate_rows(candidates)
    if result.hidden:
        yield line((f"  … and {result.hidden} that are further away", DIM))
    if result.hints:
        yield Text()
        yield line(("Worth knowing", STRONG))
        for hint in result.hints:
            yield line("  ", hint)
    yield Text()
    yield line((f"Decided by the rules of livekit-server v1.13.5 on {based_on}.", DIM))


def _candidate_rows(candidates: Sequence[Candidate]) -> Iterator[Text]:
    rows: list[Sequence[str | Text]] = []
    for one in candidates:
        words, style = _SIGNS[one.verdict]
        why = one.reason
        rows.append((line((words, style)), one.name, why))
        if one.fix and one.verdict == "refuses":
            rows.append(("", "", line(("fix: ", WARN), one.fix)))
    yield from columns(rows)
