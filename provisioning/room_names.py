"""What LiveKit can make of a freely written room name. Pure.

A dispatch rule names rooms in three ways only (livekit.SIPDispatchRule): a fixed name,
``<prefix>_<caller>_<random>``, or ``<prefix>_<called>``. Templates are mapped to the nearest of
them, and the difference is said.
"""

from __future__ import annotations

import re

from provisioning.sections.routing import CalleeRule, DirectRule, IndividualRule, RuleKind

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PER_CALL = frozenset({"call_id", "call-id", "callid", "uuid", "random", "timestamp"})
_CALLER = frozenset({"caller_number", "caller", "from", "from_number"})
_CALLED = frozenset({"called_number", "called", "to", "to_number", "sip_number"})


def rule_for_template(template: str) -> tuple[RuleKind, str]:
    """Map a template to a rule.

    Returns:
        The rule, and a sentence that says which rooms it makes.

    Raises:
        ValueError: no rule comes near it; the text says why.
    """
    placeholders = list(_PLACEHOLDER.finditer(template))
    if "{" in _PLACEHOLDER.sub("", template) or "}" in _PLACEHOLDER.sub("", template):
        raise ValueError("has a brace without its pair")
    if not placeholders:
        name = template.strip()
        if not name:
            raise ValueError("is empty")
        direct = DirectRule(room_name=name)
        return RuleKind(dispatch_rule_direct=direct), f"every caller shares the one room {name!r}"

    names = [match.group(1).strip().lower() for match in placeholders]
    unknown = [name for name in names if name not in _PER_CALL | _CALLER | _CALLED]
    if unknown:
        raise ValueError(f"has the placeholder {{{unknown[0]}}}, which nothing fills in")
    if _leftover_text(template, placeholders):
        raise ValueError("has text after a placeholder; LiveKit can only put a fixed text in front")
    prefix = template[: placeholders[0].start()].rstrip("-_. ")
    if any(name in _CALLED for name in names):
        callee = CalleeRule(room_prefix=prefix, randomize=True)
        return RuleKind(dispatch_rule_callee=callee), f"rooms are named {_shown(prefix)}<called>_<random>"
    individual = IndividualRule(room_prefix=prefix)
    return RuleKind(dispatch_rule_individual=individual), f"rooms are named {_shown(prefix)}<caller>_<random>"


def _leftover_text(template: str, placeholders: list[re.Match[str]]) -> bool:
    """Whether anything but separators stands behind the first placeholder."""
    rest = _PLACEHOLDER.sub("", template[placeholders[0].start() :])
    return bool(rest.strip("-_. "))


def _shown(prefix: str) -> str:
    return f"{prefix}_" if prefix else ""
