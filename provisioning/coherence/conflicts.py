"""What livekit-server would refuse because two objects of the file claim the same. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from provisioning.claims import claims_of, conflicts, trunk_claims
from provisioning.objects import Kind
from provisioning.reading.problem import Problem
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.desired import Desired


def conflict_problems(objects: Sequence[Desired]) -> Iterator[Problem]:
    """Every pair of trunks or rules that cannot stand side by side."""
    trunks = [desired for desired in objects if desired.kind is Kind.INBOUND]
    rules = [desired for desired in objects if desired.kind is Kind.RULE]
    for conflict in conflicts([claims_of(trunk.message) for trunk in trunks]):
        number, caller = conflict.claim
        first, second = trunks[conflict.first], trunks[conflict.second]
        what = f"number {number}" if number else "every number that no other trunk has"
        who = f" and callers {caller}" if caller else ""
        yield Problem(
            second.path,
            f"trunks {_name(first)} and {_name(second)} both claim {what}{who}; LiveKit refuses the second.",
            fix="Addresses and passwords do not set two trunks apart: put all carriers of a number in one.",
        )
    yield from _rival_problems(trunks)
    for conflict in conflicts([claims_of(rule.message) for rule in rules]):
        first, second = rules[conflict.first], rules[conflict.second]
        if conflict.first == conflict.second:
            number = conflict.claim[1] or conflict.claim[2]
            yield Problem(
                first.path,
                f"rule {_name(first)} has the number {number} in two spellings; "
                "to LiveKit they are one, and it refuses every call that looks at the rule.",
                fix="Keep the spelling that the carrier sends.",
            )
            continue
        yield Problem(
            second.path,
            f"rules {_name(first)} and {_name(second)} take the same calls ({_described(conflict.claim)}); "
            "LiveKit refuses the second.",
            fix="Give them different numbers, inbound_numbers, trunks or pins.",
        )


def _rival_problems(trunks: Sequence[Desired]) -> Iterator[Problem]:
    """LiveKit keeps a trunk for some callers beside one for all of them, but then refuses those callers."""
    by_number: dict[str, list[Desired]] = defaultdict(list)
    for trunk in trunks:
        for number in {claim[0] for claim in trunk_claims(trunk.message)}:  # type: ignore[arg-type]
            by_number[number].append(trunk)
    for number, sharing in by_number.items():
        anybody = [trunk for trunk in sharing if not trunk.message.allowed_numbers]  # type: ignore[union-attr]
        picky = [trunk for trunk in sharing if trunk.message.allowed_numbers]  # type: ignore[union-attr]
        if anybody and picky:
            callers = ", ".join(sorted({normalise_number(n) for n in picky[0].message.allowed_numbers}))  # type: ignore[union-attr]
            yield Problem(
                picky[0].path,
                f"calls from {callers} to {number or 'any number'} match trunk {_name(picky[0])} and trunk "
                f"{_name(anybody[0])}: LiveKit keeps both, and answers those calls 503.",
                fix="Let a rule's inbound_numbers tell callers apart, on one trunk.",
            )


def _name(desired: Desired) -> str:
    return repr(desired.key.partition("/")[2])


def _described(claim: tuple[str, ...]) -> str:
    trunk, number, caller, pin = claim
    parts = [
        f"trunk {trunk.partition('/')[2]}",
        f"to {number or 'any number'}",
        f"from {caller or 'anybody'}",
    ]
    return ", ".join([*parts, "with the same PIN" if pin else "without PIN"])
