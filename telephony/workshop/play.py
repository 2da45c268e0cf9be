"""A script's conversation in text: seconds instead of minutes, and no telephone.

The words are judged as the simulated caller judges them over the telephone. What only a telephone has, such
as pauses, loss and how soon the agent falls silent, does not count here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from telephony.caller.script import (
    ExpectHangUpStep,
    ExpectStep,
    HangUpStep,
    InterruptStep,
    PressStep,
    SayStep,
    describe,
)
from telephony.caller.words import begins_with, missing_from

if TYPE_CHECKING:
    from telephony.caller.script import Script
    from telephony.workshop.talk import Shown, Talk


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation: who, and what was said, pressed, called or brought in."""

    who: Literal["caller", "agent", "tool", "fields", "line"]
    text: str


@dataclass(slots=True)
class Played:
    """How a script went."""

    script: str
    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it went as the script says."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        lines = [{"who": line.who, "text": line.text} for line in self.lines]
        return {
            "script": self.script,
            "ok": self.ok,
            "problems": self.problems,
            "fields": self.fields,
            "lines": lines,
        }


async def play(script: Script, talk: Talk) -> Played:
    """Let the script's person talk to an assistant, until its end or the first thing that goes wrong."""
    return await _Play(script, talk).run()


class _Play:
    def __init__(self, script: Script, talk: Talk) -> None:
        self._script = script
        self._talk = talk
        self._played = Played(script.name, [Line("agent", talk.greeting)])
        self._heard = [talk.greeting]

    async def run(self) -> Played:
        for number, step in enumerate(self._script.steps):
            problem = await self._do(step)
            if problem:
                at = self._script.line_of(number)
                self._played.problems.append(f"line {at}: {problem}" if at else problem)
                break
        self._played.fields = dict(self._talk.fields)
        if self._played.ok:
            self._played.problems += wrong_fields(self._script, self._talk.fields)
        return self._played

    async def _do(self, step: Any) -> str:
        if isinstance(step, ExpectStep):
            return self._expect(step.expect.begins, step.expect.all, step.expect.any)
        if isinstance(step, ExpectHangUpStep):
            if not self._talk.ended:
                return f"the agent was to hang up, and said: {self._said}"
            return self._expect([], step.expect_hang_up.all, step.expect_hang_up.any)
        if isinstance(step, HangUpStep):
            self._played.lines.append(Line("line", "the caller hangs up"))
            return ""
        if not isinstance(step, SayStep | InterruptStep | PressStep):
            return ""
        if self._talk.ended:
            return f"the agent had hung up before: {describe(step)}"
        if isinstance(step, PressStep):
            keys = step.press.replace("w", "")
            self._played.lines.append(Line("caller", f"[keys {keys}]"))
            self._take(await self._talk.press(keys))
        else:
            self._played.lines.append(Line("caller", describe(step)))
            self._take(await self._talk.hear(describe(step)))
        return ""

    @property
    def _said(self) -> str:
        return " ".join(self._heard) or "nothing"

    def _take(self, shown: list[Shown]) -> None:
        self._heard = [each.text for each in shown if each.kind == "agent"]
        self._played.lines += [line_of(each) for each in shown]

    def _expect(self, begins: list[str], every: list[str], one_of: list[str]) -> str:
        missing = missing_from(self._said, every=every, one_of=one_of)
        if begins and not any(begins_with(entry, self._said) for entry in begins):
            missing.append(f"beginning with {' or '.join(begins)}")
        return f"the agent did not say: {'; '.join(missing)}. It said: {self._said}" if missing else ""


def wrong_fields(script: Script, fields: dict[str, Any]) -> list[str]:
    """What the record of a call lacks of what its script wants there."""
    return [
        f"the field {name} is {fields.get(name)!r}, not {wanted!r}"
        for name, wanted in script.fields.items()
        if str(fields.get(name)) != wanted
    ]


def line_of(shown: Shown) -> Line:
    """How something that happened is told."""
    if shown.kind == "agent":
        return Line("agent", shown.text)
    if shown.kind == "tool":
        told = ", ".join(f"{name}={value!r}" for name, value in shown.data["arguments"].items())
        answer = ", ".join(f"{name}: {value}" for name, value in shown.data["result"].items())
        return Line("tool", f"{shown.text}({told}) → {answer}")
    if shown.kind == "fields":
        return Line("fields", ", ".join(f"{name}: {value}" for name, value in shown.data.items()))
    return Line("line", "the agent hangs up")
