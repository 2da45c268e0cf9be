"""What a file of an assistant must keep to that its shape cannot say: names that lead somewhere. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from telephony.assistants.call_data import data_places
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
from telephony.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telephony.assistants.tools.tool import Tool

Path = tuple[str | int, ...]
Finding = tuple[Path, str]


def inconsistencies(assistant: Assistant, *, tool_named: Callable[[str], Tool]) -> list[Finding]:
    """Everything wrong with an assistant of the right shape, as (path in the file, sentence).

    Args:
        tool_named: finds a tool by its name in the file, and raises AssistantError where there is none.
    """
    findings, tools = _tools(assistant, tool_named)
    findings += _http_tools(assistant)
    findings += _data(assistant)
    findings += [
        (("speech", name, "api_key"), "belongs to the operator's file or to the environment.")
        for name, stage in assistant.speech
        if getattr(stage, "api_key", None) is not None
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
    findings += _wrong_calls(flow, tools)
    findings += _empty_choices(flow)
    findings += _placeholders(flow)
    if not findings:
        findings += _unreached(flow) + _endless(flow)
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
            findings.append((path, f"there is no state {goto!r}.{_nearest(goto, flow.states)}"))
        if goto == BACK and path[-1] in {"start", "give_up"}:
            findings.append((path, "this must be a state, since there is none to go back to."))
    start = flow.states.get(flow.start)
    if start is not None and not isinstance(start, ChoiceState | FormState):
        findings.append((("flow", "start"), "the first state must wait for the caller: ask or form."))
    return findings


def _unreached(flow: FlowTable) -> list[Finding]:
    """States that no call can come to: most often an intent or a choice was forgotten."""
    onward: dict[str, set[str]] = {name: set() for name in flow.states}
    ahead: set[str] = set()
    for path, goto in _ways(flow):
        if path[:2] == ("flow", "states"):
            onward[str(path[2])].add(goto)
        else:
            ahead.add(goto)
    reached = _reached(onward, ahead)
    return [
        (
            ("flow", "states", name),
            "no call comes here; name it in the goto of an intent, or of a state that calls come to.",
        )
        for name in flow.states
        if name not in reached
    ]


def _wrong_calls(flow: FlowTable, tools: set[str]) -> list[Finding]:
    return [
        (
            ("flow", "states", name, "call"),
            f"{state.call!r} is not one of this assistant's tools.{_nearest(state.call, tools)}",
        )
        for name, state in flow.states.items()
        if isinstance(state, ToolState) and state.call not in tools
    ]


def _tools(assistant: Assistant, tool_named: Callable[[str], Tool]) -> tuple[list[Finding], set[str]]:
    """What is wrong with the tools, and the names by which a flow may call them."""
    findings: list[Finding] = []
    names = set(assistant.http_tools)
    for n, written in enumerate(assistant.tools):
        try:
            tool = tool_named(written)
        except AssistantError as error:
            findings.append((("tools", n), error.message))
            names.add(written)
            continue
        if tool.name in names:
            findings.append((("tools", n), f"there is a tool {tool.name!r} already."))
        if tool.languages is not None and assistant.language not in tool.languages:
            spoken = ", ".join(sorted(tool.languages))
            findings.append((("tools", n), f"{tool.name} speaks {spoken} only, not {assistant.language}."))
        names.add(tool.name)
    return findings, names


def _http_tools(assistant: Assistant) -> list[Finding]:
    findings: list[Finding] = []
    for name, tool in assistant.http_tools.items():
        here: Path = ("http_tools", name)
        findings += [
            ((*here, *path), f"{{{word}}} is none of its parameters.{_nearest(word, tool.parameters)}")
            for path, word in tool.fields()
            if word not in tool.parameters
        ]
        spoken = tool.parameters.keys() | tool.result.keys()
        findings += [
            ((*here, "say"), f"nothing fills {{{word}}}.{_nearest(word, spoken)}")
            for word in placeholders(tool.say or "")
            if word not in spoken
        ]
        findings += [
            ((*here, "result", key), "is the name of a parameter already.")
            for key in sorted(tool.parameters.keys() & tool.result.keys())
        ]
    return findings


def _data(assistant: Assistant) -> list[Finding]:
    """Places in texts that no call fills."""
    tree = assistant.model_dump(by_alias=True, exclude={"data", "speech"})
    found = ((path, name) for path, text in _texts(tree, ()) for name in data_places(text))
    findings: list[Finding] = []
    for path, name in found:
        if path[0] == "http_tools":
            findings.append((path, "is not filled here; make it a parameter, and give it by the flow."))
        elif name not in assistant.data:
            told = f"`data` declares no {name!r}.{_nearest(name, assistant.data)}"
            findings.append((path, told))
    return findings


def _texts(tree: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(tree, str):
        yield path, tree
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, item in steps:
        yield from _texts(item, (*path, step))


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


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
        filled = [word for text in state_texts(state) for word in placeholders(text) if not _is_data(word)]
        findings += [
            (here, f"must not speak {{{word}}}, which is secret.") for word in filled if word in secret
        ]
        if isinstance(state, ToolState):
            filled = [word for word in filled if not word.startswith("result.")]
            findings += _unfilled_arguments(here, state, slots)
        if isinstance(state, FormState):
            findings += _unspoken(here, state)
            findings += _slot_limits(here, state)
        findings += [(here, f"nothing fills {{{word}}}.") for word in filled if word not in slots]
    return findings


def _unfilled_arguments(here: Path, state: ToolState, slots: set[str]) -> list[Finding]:
    known = slots | {"heard.day", "heard.time", "heard.name"}
    findings: list[Finding] = [
        ((*here, "arguments", key), f"nothing fills {{{word}}}.")
        for key, template in state.arguments.items()
        for word in placeholders(template)
        if word not in known and not _is_data(word)
    ]
    findings += [
        ((*here, "results", n, "clear"), f"no form asks for {slot!r}.")
        for n, result in enumerate(state.results)
        for slot in sorted(set(result.clear) - slots)
    ]
    return findings


def _is_data(word: str) -> bool:
    return word.startswith("data.")


def _slot_limits(here: Path, form: FormState) -> list[Finding]:
    findings: list[Finding] = []
    for n, blank in enumerate(form.slots):
        at: Path = (*here, "slots", n)
        if (blank.type == "choice") != bool(blank.choices):
            findings.append(((*at, "choices"), "a choice needs choices, and nothing else has any."))
        if blank.type != "number" and (blank.least is not None or blank.most is not None):
            findings.append((at, "only a number has least and most."))
        if blank.least is not None and blank.most is not None and blank.least > blank.most:
            findings.append(((*at, "least"), "must not be larger than most."))
        if blank.type != "digits" and blank.digits is not None:
            findings.append(((*at, "digits"), "only digits have a number of digits."))
    return findings


def _unspoken(here: Path, form: FormState) -> list[Finding]:
    own = {question.slot for question in form.slots}
    if len(own) != len(form.slots):
        return [((*here, "slots"), "a slot is asked for twice.")]
    if form.read_back is None:
        return []
    spoken = {question.slot for question in form.slots if not question.secret}
    missing = spoken - set(placeholders(form.read_back))
    return [
        ((*here, "read_back"), f"must repeat {{{slot}}}, or nobody can correct it.")
        for slot in sorted(missing)
    ]


def _endless(flow: FlowTable) -> list[Finding]:
    """Ways round on which the caller never speaks: tools, and forms that may be full already."""
    onward = {name: _silent_ways(flow, name) for name in flow.states}
    for name in onward:
        if name in _reached(onward, onward[name]):
            return [(("flow", "states", name), "leads back to itself without ever asking the caller.")]
    return []


def _reached(onward: Mapping[str, set[str]], begin: set[str]) -> set[str]:
    """All states on the ways from some, those themselves included."""
    reached: set[str] = set()
    ahead = set(begin)
    while ahead:
        state = ahead.pop()
        reached.add(state)
        ahead |= onward.get(state, set()) - reached
    return reached


def _silent_ways(flow: FlowTable, name: str) -> set[str]:
    """The states that a state may lead to before the caller has said anything."""
    state = flow.states[name]
    if isinstance(state, FormState):
        return {state.goto} if state.read_back is None else set()
    if not isinstance(state, ToolState):
        return set()
    return {result.goto for result in state.results if _goes_on(flow, result.goto, result.clear)}


def _goes_on(flow: FlowTable, name: str, cleared: list[str]) -> bool:
    state = flow.states.get(name)
    if isinstance(state, FormState):
        return state.read_back is None and not any(blank.slot in cleared for blank in state.slots)
    return isinstance(state, ToolState)
