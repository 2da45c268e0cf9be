"""Problems and notes of the whole file. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioning.carriers.fill import filled
from provisioning.coherence.conflicts import conflict_problems
from provisioning.coherence.outbound import outbound_notes, outbound_problems
from provisioning.coherence.rules import rule_notes, rule_problems
from provisioning.coherence.trunks import trunk_notes, trunk_problems
from provisioning.desired import desired_objects
from provisioning.reading.problem import Note, Path, Problem
from provisioning.rule_messages import RuleMessages
from provisioning.sections.trunks import Trunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.config import LineConfig

_WIDEBAND = frozenset({"G722", "AMR-WB", "opus"})


def check_coherence(config: LineConfig, *, unread: Sequence[str] = ()) -> tuple[list[Problem], list[Note]]:
    """Every problem and every note of a file whose values are each well formed.

    Args:
        config: the file, or the part of it that could be read.
        unread: names of trunks of the file that are not in config because their entries are wrong.
    """
    trunks = [filled(trunk) for trunk in config.sip_trunks]
    rules = config.routing.inbound_rules
    known = [*trunks, *(Trunk.model_construct(name=name) for name in unread)]
    problems: list[Problem] = []
    for n, trunk in enumerate(trunks):
        problems += trunk_problems(trunk, ("sip_trunks", n))
    for n, rule in enumerate(rules):
        problems += rule_problems(rule, ("routing", "inbound_rules", n), known)
    problems += _twice([t.name for t in trunks], ("sip_trunks",), "trunk")
    problems += _twice([r.name for r in rules], ("routing", "inbound_rules"), "rule")
    problems += outbound_problems(config, trunks)
    if not problems and not unread:
        problems += conflict_problems(desired_objects(config))
    return problems, [] if problems else list(_notes(config, trunks))


def _notes(config: LineConfig, trunks: Sequence[Trunk]) -> Iterator[Note]:
    messages = RuleMessages(config, {trunk.name: trunk for trunk in trunks if trunk.is_inbound})
    routed = {name for rule in config.routing.inbound_rules for name in messages.trunks_of(rule)}
    for n, trunk in enumerate(trunks):
        yield from trunk_notes(trunk, ("sip_trunks", n))
        if trunk.is_inbound and trunk.name not in routed:
            yield Note(("sip_trunks", n, "name"), f"no rule takes the calls of trunk {trunk.name!r}.")
    for n, rule in enumerate(config.routing.inbound_rules):
        yield from rule_notes(rule, ("routing", "inbound_rules", n), trunks, messages)
    yield from _codec_notes(config)
    yield from outbound_notes(config)
    hooks = config.webhooks
    if hooks.is_livekits_own and hooks.secret is not None:
        yield Note(
            ("webhooks", "secret"),
            "LiveKit signs its own hook with livekit.api_key and api_secret; this secret is not used.",
            fix="Leave it out here; each of webhooks.endpoints has a secret of its own.",
        )


def _twice(names: list[str], path: Path, what: str) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            last = len(names) - 1 - names[::-1].index(name)
            yield Problem((*path, last, "name"), f"there is another {what} named {name!r}.")


def _codec_notes(config: LineConfig) -> Iterator[Note]:
    for n, codec in enumerate(config.audio_codecs):
        if codec.enabled and codec.name in _WIDEBAND:
            if codec.name == "opus":
                text = "LiveKit speaks no Opus on a SIP leg; the room has Opus anyway. It is left out."
            else:
                text = f"{codec.name} helps only where the carrier keeps it: telephone calls are G.711."
            yield Note(("audio_codecs", n, "name"), text)
