"""What a file of an assistant must keep to that its shape cannot say: names that lead somewhere. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.schema import (
    BACK,
    Assistant,
    ChoiceState,
    FlowTable,
    FormState,
    ToolState,
    placeholders,
    secret_slots,
    state_texts,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Path = tuple[str | int, ...]
Finding = tuple[Path, str]


def inconsistencies(assistant: Assistant, *, known_tools: Collection[str]) -> list[Finding]:
    """Everything wrong with an assistant of the right shape, as (path in the file, sentence)."""
    findings: list[Finding] = [
        (("tools", n), f"there is no tool {name!r}; there are {', '.join(sorted(known_tools))}.")
        for n, name in enumerate(assistant.tools)
        if name not in known_tools
    ]
    names = [field.name for field in assistant.fields]
    findings += [
        (("fields", n, "name"), f"there is a field {name!r} already.")
        for n, name in enumerate(names)
        if name in names[:n]
    ]
    findings += [
        (("fields", n, "choices"), "a choice needs choices, and nothing else has any.")
        for n, field in enumerate(assistant.fields)
        if (field.type == "choice") != bool(field.choices)
    ]
    if assistant.flow is None:
        if not assistant.instructions.strip():
            findings.append((("flow",), "an assistant needs instructions, or a flow, or both."))
        return findings
    flow = assistant.flow
    findings += _lost_ways(flow)
    findings += _wrong_calls(assistant, flow)
    findings += _empty_choices(flow)
    findings += _placeholders(flow)
    if not findings:
        findings += _endless(flow)
    return findings


def _ways(flow: FlowTable) -> Iterator[tuple[Path, str]]:
    yield ("flow", "start"), flow.start
    yield ("flow", "give_up"), flow.give_up
    for n, intent in enumerate(flow.intents):
        yield ("flow", "intents", n, "goto"), intent.goto
    for name, state in flow.states.items():
        here: Path = ("flow", "states", name)
        if isinstance(state, ChoiceState):
            for n, choice in enumerate(state.choices):
                yield (*here, "choices", n, "goto"), choice.goto
        elif isinstance(state, ToolState):
            for n, result in enumerate(state.results):
                yield (*here, "results", n, "goto"), result.goto
        elif isinstance(state, FormState):
            yield (*here, "goto"), state.goto


def _lost_ways(flow: FlowTable) -> list[Finding]:
    findings: list[Finding] = []
    for path, goto in _ways(flow):
        if goto not in flow.states and goto != BACK:
            findings.append((path, f"there is no state {goto!r}."))
        if goto == BACK and path[-1] in {"start", "give_up"}:
            findings.append((path, "this must be a state, since there is none to go back to."))
    start = flow.states.get(flow.start)
    if start is not None and not isinstance(start, ChoiceState | FormState):
        findings.append((("flow", "start"), "the first state must wait for the caller: ask or form."))
    return findings


def _wrong_calls(assistant: Assistant, flow: FlowTable) -> list[Finding]:
    return [
        (("flow", "states", name, "call"), f"{state.call!r} is not one of this assistant's tools.")
        for name, state in flow.states.items()
        if isinstance(state, ToolState) and state.call not in assistant.tools
    ]


def _empty_choices(flow: FlowTable) -> list[Finding]:
    findings: list[Finding] = [
        (("flow", "intents", n), "needs phrases or keys.")
        for n, intent in enumerate(flow.intents)
        if not (intent.phrases or intent.keys)
    ]
    for name, state in flow.states.items():
        if isinstance(state, ChoiceState):
            for n, choice in enumerate(state.choices):
                if not (choice.phrases or choice.keys or choice.answer):
                    path = ("flow", "states", name, "choices", n)
                    findings.append((path, "needs phrases, keys or an answer."))
    return findings


def _placeholders(flow: FlowTable) -> list[Finding]:
    slots = {
        blank.slot for state in flow.states.values() if isinstance(state, FormState) for blank in state.slots
    }
    secret = secret_slots(flow)
    findings: list[Finding] = []
    for name, state in flow.states.items():
        here: Path = ("flow", "states", name)
        filled = [word for text in state_texts(state) for word in placeholders(text)]
        findings += [
            (here, f"must not speak {{{word}}}, which is secret.") for word in filled if word in secret
        ]
        if isinstance(state, ToolState):
            filled = [word for word in filled if not word.startswith("result.")]
            findings += _unfilled_arguments(here, state, slots)
        if isinstance(state, FormState):
            findings += _unspoken(here, state)
        findings += [(here, f"nothing fills {{{word}}}.") for word in filled if word not in slots]
    return findings


def _unfilled_arguments(here: Path, state: ToolState, slots: set[str]) -> list[Finding]:
    known = slots | {"heard.day", "heard.time", "heard.name"}
    findings: list[Finding] = [
        ((*here, "arguments", key), f"nothing fills {{{word}}}.")
        for key, template in state.arguments.items()
        for word in placeholders(template)
        if word not in known
    ]
    findings += [
        ((*here, "results", n, "clear"), f"no form asks for {slot!r}.")
        for n, result in enumerate(state.results)
        for slot in sorted(set(result.clear) - slots)
    ]
    return findings


def _unspoken(here: Path, form: FormState) -> list[Finding]:
    own = {question.slot for question in form.slots}
    if len(own) != len(form.slots):
        return [((*here, "slots"), "a slot is asked for twice.")]
    spoken = {question.slot for question in form.slots if not question.secret}
    missing = spoken - set(placeholders(form.read_back))
    return [
        ((*here, "read_back"), f"must repeat {{{slot}}}, or nobody can correct it.")
        for slot in sorted(missing)
    ]


def _endless(flow: FlowTable) -> list[Finding]:
    """Tools that call one another for ever without letting the caller speak."""
    onward = {
        name: {result.goto for result in state.results if isinstance(flow.states.get(result.goto), ToolState)}
        for name, state in flow.states.items()
        if isinstance(state, ToolState)
    }
    for name in onward:
        seen: set[str] = set()
        ahead = set(onward[name])
        while ahead:
            step = ahead.pop()
            if step == name:
                return [(("flow", "states", name), "leads back to itself without ever asking the caller.")]
            if step not in seen:
                seen.add(step)
                ahead |= onward[step]
    return []
