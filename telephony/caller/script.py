"""A simulated person's script: what a call is made of, as strict data.

Pure. Unknown keys, missing keys and wrong types are refused; nothing is converted silently.
``telephony.caller.script_file`` reads it from YAML and says on which line it is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]
Within = Annotated[float, Field(gt=0.0, le=120.0)]

DEFAULT_DELAY_MS = {"after_agent": 700, "after_ms": 0, "over_agent": 300}


class ScriptModel(BaseModel):
    """Base of every part: unknown keys are errors and values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VoiceSettings(ScriptModel):
    """How the person sounds."""

    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """Pace of speech, 1.0 as the engine speaks by itself."""
    pitch: float = Field(default=1.0, ge=0.7, le=1.4)
    """Pitch and formants as a factor, below 1.0 deeper; the pace is kept."""


class ImpairmentSettings(ScriptModel):
    """What happens to the person's own RTP stream on its way out; all off by default."""

    loss: Share = 0.0
    """Share of packets lost on average."""
    burst: float = Field(default=1.0, ge=1.0, le=50.0)
    """Mean number of packets lost in a row, 1.0 for losses independent of each other."""
    jitter_ms: float = Field(default=0.0, ge=0.0, le=500.0)
    """Peak of the extra delay, which is uniform between 0 and this; the order is kept."""
    reorder: Share = 0.0
    """Share of packets that arrive after the one sent behind them."""
    duplicate: Share = 0.0
    """Share of packets that arrive twice."""
    drift_ppm: float = Field(default=0.0, ge=-1000.0, le=1000.0)
    """How much faster the person's own clock runs, in parts per million; telephones have up to 200."""
    noise_dbfs: float | None = Field(default=None, ge=-90.0, le=-10.0)
    """Level of steady noise mixed under everything the person sends, in dBFS; none by default."""


class Settings(ScriptModel):
    """What holds for the whole call."""

    codec: Literal["PCMU", "PCMA"] = "PCMU"
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """Seeds voice, noise and impairments: the same seed sends the same packets."""
    language: str = Field(default="en", min_length=2, max_length=8)
    from_user: str = Field(default="+15550100199", min_length=1, max_length=64)
    """User part of the From address."""
    voice: VoiceSettings = VoiceSettings()
    impairment: ImpairmentSettings = ImpairmentSettings()
    ring_s: float = Field(default=1.0, ge=0.0, le=120.0)
    """Who is called (``caller answer``) lets it ring so long."""
    refuse_with: int | None = Field(default=None, ge=400, le=699)
    """Who is called does not take the call, but refuses it with this SIP status after the ringing."""
    answer_within_s: Within = 30.0
    """The call is cancelled when it is not answered by then."""
    max_duration_s: float = Field(default=120.0, gt=0.0, le=3600.0)
    """From the answer; the call is hung up then, and the run has failed."""


class Say(ScriptModel):
    """Speak a line."""

    text: Text
    when: Literal["after_agent", "after_ms", "over_agent"] = "after_agent"
    """The cue.

    ``after_agent``: the agent has spoken since the person's last action and has been silent for ``after_ms``.
    ``after_ms``: so long after the step before.
    ``over_agent``: the agent is speaking and has been for ``after_ms``.
    """
    after_ms: Milliseconds | None = None
    """Default 700 for ``after_agent``, 0 for ``after_ms``, 300 for ``over_agent``."""
    within_s: Within = 20.0
    """How long the cue may take to come."""

    @property
    def delay_ms(self) -> int:
        """``after_ms`` or its default for this cue."""
        return DEFAULT_DELAY_MS[self.when] if self.after_ms is None else self.after_ms


class Expect(ScriptModel):
    """The agent has said these words since the person's last action, or says them in time.

    Each entry is a word or a phrase; ``|`` separates spellings that count as the same entry.
    """

    all: list[Words] = Field(default_factory=list)
    any: list[Words] = Field(default_factory=list)
    begins: list[Words] = Field(default_factory=list)
    """One of these must be the first thing heard: proves that the first syllable was not cut."""
    within_s: Within = 10.0
    repeats: int = Field(default=0, ge=0, le=5)
    """How often the person says the last line again when the agent has answered something else."""

    @model_validator(mode="after")
    def _has_words(self) -> Expect:
        if not (self.all or self.any or self.begins):
            raise ValueError("needs words under at least one of: all, any, begins")
        return self


class Interrupt(ScriptModel):
    """Talk over the agent once it has been speaking for ``after_ms``; measures how soon it falls silent."""

    text: Text
    after_ms: Milliseconds = 1500
    within_s: Within = 20.0
    """How long the agent may take to have spoken that long."""
    silent_within_ms: Milliseconds = 2000
    """The agent must be silent this long after the interruption began, or the step has failed."""


class HangUp(ScriptModel):
    """Say nothing more and send BYE."""

    when: Literal["after_agent", "now"] = "now"
    within_s: Within = 20.0


class ExpectHangUp(ScriptModel):
    """The agent says goodbye and ends the call."""

    all: list[Words] = Field(default_factory=list)
    any: list[Words] = Field(default_factory=list)
    """Words it must have said since the person's last action; none are asked for by default."""
    within_s: Within = 15.0


class SayStep(ScriptModel):
    say: Say

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        """``say: Hello`` means ``say: {text: Hello}``."""
        if isinstance(raw, dict) and isinstance(raw.get("say"), str):
            return {**raw, "say": {"text": raw["say"]}}
        return raw


class ExpectStep(ScriptModel):
    expect: Expect

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        """``expect: hello`` means ``expect: {all: [hello]}``."""
        if isinstance(raw, dict) and isinstance(raw.get("expect"), str):
            return {**raw, "expect": {"all": [raw["expect"]]}}
        return raw


class InterruptStep(ScriptModel):
    interrupt: Interrupt


class PressStep(ScriptModel):
    press: str = Field(pattern=r"^[0-9A-D*#w]+$", max_length=64)
    """DTMF digits as telephone-event; ``w`` waits half a second."""


class Beep(ScriptModel):
    """A mailbox's."""

    hz: float = Field(default=1000.0, ge=100.0, le=3400.0)
    ms: int = Field(default=400, ge=20, le=10_000)


class BeepStep(ScriptModel):
    beep: Beep = Beep()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        return _without_nothing(raw, "beep")


class WaitStep(ScriptModel):
    wait: float = Field(gt=0.0, le=120.0)
    """Seconds."""


class HangUpStep(ScriptModel):
    hang_up: HangUp = HangUp()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        return _without_nothing(raw, "hang_up")


class ExpectHangUpStep(ScriptModel):
    expect_hang_up: ExpectHangUp = ExpectHangUp()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        """``expect_hang_up: goodbye`` means ``expect_hang_up: {all: [goodbye]}``."""
        if isinstance(raw, dict) and isinstance(raw.get("expect_hang_up"), str):
            return {**raw, "expect_hang_up": {"all": [raw["expect_hang_up"]]}}
        return _without_nothing(raw, "expect_hang_up")


def _without_nothing(raw: Any, key: str) -> Any:
    """``hang_up:`` with nothing behind it means its defaults."""
    return {} if isinstance(raw, dict) and raw == {key: None} else raw


STEP_KINDS = ("say", "expect", "interrupt", "press", "beep", "wait", "hang_up", "expect_hang_up")


def _kind_of(raw: Any) -> str | None:
    """Which kind of step it is: the one known key that it has."""
    keys = list(raw) if isinstance(raw, dict) else list(type(raw).model_fields)
    known = [key for key in keys if key in STEP_KINDS]
    return known[0] if len(known) == 1 else None


Step = Annotated[
    Annotated[SayStep, Tag("say")]
    | Annotated[ExpectStep, Tag("expect")]
    | Annotated[InterruptStep, Tag("interrupt")]
    | Annotated[PressStep, Tag("press")]
    | Annotated[BeepStep, Tag("beep")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[HangUpStep, Tag("hang_up")]
    | Annotated[ExpectHangUpStep, Tag("expect_hang_up")],
    Discriminator(
        _kind_of,
        custom_error_type="step_kind",
        custom_error_message="is not a step: a step has exactly one of the keys " + ", ".join(STEP_KINDS),
    ),
]


class Script(ScriptModel):
    """A whole call."""

    name: Text
    about: str = ""
    """What the call is meant to show, in a sentence or two."""
    settings: Settings = Settings()
    steps: list[Step] = Field(min_length=1)
    fields: dict[str, str] = Field(default_factory=dict)
    """What the record must hold at the call's end; a telephone cannot see it, ``trunkline assistant test``
    checks it."""
    lines: tuple[int, ...] = Field(default=(), exclude=True)
    """Line number of each step in its file, for messages; empty for a script that was not read from one."""

    @model_validator(mode="before")
    @classmethod
    def _bare_steps(cls, raw: Any) -> Any:
        """``- hang_up`` means ``- hang_up:``."""
        if isinstance(raw, dict) and isinstance(raw.get("steps"), list):
            bare = ("beep", "hang_up", "expect_hang_up")
            steps = [{step: None} if step in bare else step for step in raw["steps"]]
            return {**raw, "steps": steps}
        return raw

    @model_validator(mode="after")
    def _ends_once(self) -> Script:
        for number, step in enumerate(self.steps[:-1], 1):
            if isinstance(step, HangUpStep | ExpectHangUpStep):
                raise ValueError(f"step {number} ends the call, but there are steps behind it")
        return self

    def spoken(self) -> list[str]:
        """Every line the person may speak, in order and without repetitions."""
        texts = [step.say.text for step in self.steps if isinstance(step, SayStep)]
        texts += [step.interrupt.text for step in self.steps if isinstance(step, InterruptStep)]
        return list(dict.fromkeys(texts))

    def line_of(self, step: int) -> int | None:
        """Line number of a step, counted from 0, in the file it was read from."""
        return self.lines[step] if step < len(self.lines) else None


def kind_of(step: Any) -> str:
    """The key by which a step is written, such as ``say``."""
    kind = _kind_of(step)
    assert kind is not None
    return kind


def describe(step: Any) -> str:
    """What a step asks for, in a few words."""
    if isinstance(step, SayStep):
        return step.say.text
    if isinstance(step, InterruptStep):
        return step.interrupt.text
    if isinstance(step, PressStep):
        return step.press
    if isinstance(step, BeepStep):
        return f"{step.beep.hz:g} Hz, {step.beep.ms} ms"
    if isinstance(step, WaitStep):
        return f"{step.wait:g} s"
    if isinstance(step, HangUpStep):
        return ""
    wanted = step.expect if isinstance(step, ExpectStep) else step.expect_hang_up
    parts = [", ".join(wanted.all), " or ".join(wanted.any)]
    if isinstance(wanted, Expect) and wanted.begins:
        parts.insert(0, f"begins with {' or '.join(wanted.begins)}")
    return "; ".join(part for part in parts if part).replace("|", " or ")
