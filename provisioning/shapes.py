"""The shapes of ``--output json``, published as JSON Schemas in ``docs/provisioning``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict
from typing_extensions import TypedDict

from provisioning.carriers.pack import Pack  # noqa: TC001 - read at run time

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)

ObjectKind = Literal["inbound", "outbound", "rule"]


class Problem(TypedDict):
    """A mistake or a warning, and where."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    path: str
    """Dotted path in the file; empty for the file as a whole."""
    line: int | None
    """Line in the file, from 1."""
    column: int | None
    """Column, from 1."""
    message: str
    """What is wrong, in a sentence."""
    fix: str | None
    """What to write instead."""


class Error(TypedDict):
    """Why a command failed."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    message: str
    """One sentence."""
    field: str | None
    """The setting at fault."""
    fix: str | None
    """What to do."""
    retryable: bool
    """Whether the same command can succeed later without any change."""
    problems: list[Problem]
    """Every mistake, where the file is wrong or apply refuses."""


class Failure(TypedDict):
    """What every command prints when it fails."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    error: Error
    """Why."""


class FieldChange(TypedDict):
    """One field that differs."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    field: str
    """Name in LiveKit's words."""
    before: Any
    """What the server has; null for nothing; secrets are replaced by ``(hidden)``."""
    after: Any
    """What is wanted."""
    secret: bool
    """Whether the values are hidden."""


class Change(TypedDict):
    """What is to become of one object."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    action: Literal["create", "update", "delete"]
    """update is in place: the id stays."""
    kind: ObjectKind
    """Which kind of object."""
    key: str
    """``<kind>/<name>`` in the file."""
    id: str | None
    """LiveKit's id; null before it is made."""
    fields: list[FieldChange]
    """What differs."""
    reason: str | None
    """Why, where that is not plain."""


class NotOurs(TypedDict):
    """An object that is left alone."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    kind: ObjectKind
    """Which kind of object."""
    id: str
    """LiveKit's id."""
    name: str
    """Its name at LiveKit."""
    owner: str | None
    """The line that owns it; null for nobody's."""


class Gap(TypedDict):
    """Calls that nobody serves between two writes."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    number: str | None
    """Called number; null for any other."""
    caller: str | None
    """Calling number; null for any."""


class Plan(TypedDict):
    """``provision plan``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    line: str
    """The file's line."""
    server: str
    """livekit-server's URL."""
    file: str
    """The file."""
    changes: list[Change]
    """What apply would change."""
    unchanged: list[str]
    """Keys that are as they should be."""
    not_ours: list[NotOurs]
    """What is left alone."""
    gaps: list[Gap]
    """Numbers that are in no trunk for the time of a write or two."""
    refusals: list[Problem]
    """Why apply would refuse."""


class Written(TypedDict):
    """One write."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    action: Literal["created", "replaced", "deleted", "put back"]
    """What it did."""
    kind: ObjectKind
    """Which kind of object."""
    key: str
    """Its key in the file."""
    id: str
    """LiveKit's id."""
    stage: Literal["whole", "staged", "parked"]
    """staged and parked objects get another write later."""


class Apply(TypedDict):
    """``provision apply`` and ``provision destroy``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    line: str
    """The file's line."""
    server: str
    """livekit-server's URL."""
    writes: int
    """How many writes; 0 when all was as it should be."""
    written: list[Written]
    """Every write, in order."""
    gaps_ms: list[float]
    """How long each gap was, in ms."""
    duration_s: float
    """From the first write to the last, in s."""


class FieldDrift(TypedDict):
    """A field that is not as the file says."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    kind: ObjectKind
    """Which kind of object."""
    key: str
    """Its key in the file."""
    id: str
    """LiveKit's id."""
    field: str
    """Name in LiveKit's words."""
    live: Any
    """What the server has."""
    file: Any
    """What the file says."""
    secret: bool
    """Whether the values are hidden."""
    cause: Literal["hand", "file", "either"]
    """Who changed it: another hand at LiveKit, the file, or it cannot be told."""


class Drift(TypedDict):
    """``provision drift``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    line: str
    """The file's line."""
    server: str
    """livekit-server's URL."""
    drift: bool
    """Whether another hand was at it; the exit code is 3 then."""
    fields: list[FieldDrift]
    """Fields that differ."""
    missing: list[Change]
    """Objects of the file that the server does not have."""
    surplus: list[Change]
    """Objects of ours that the file no longer has."""
    not_ours: list[NotOurs]
    """What is left alone."""


HypotheticalCall = TypedDict(
    "HypotheticalCall", {"to": str, "from": str, "source": str, "from_host": str | None}
)
"""The INVITE that was asked about: users of To and From, where it comes from, host of From."""
HypotheticalCall.__pydantic_config__ = _CLOSED  # type: ignore[attr-defined]


class Candidate(TypedDict):
    """A trunk or rule and whether it takes the call."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    kind: Literal["trunk", "rule"]
    """Which of the two."""
    id: str
    """LiveKit's id, or the key where the file was looked at."""
    name: str
    """Its name."""
    verdict: Literal["picked", "takes", "refuses"]
    """takes: would, but another one goes first."""
    field: str | None
    """The fields that refuse."""
    reason: str | None
    """Why."""
    fix: str | None
    """What to change."""


class Explanation(TypedDict):
    """``provision explain``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    call: HypotheticalCall
    """What was asked."""
    verdict: Literal["accepted", "pin", "dropped", "refused"]
    """dropped: nobody answers; refused: 503."""
    sentence: str
    """The verdict in words."""
    fix: str | None
    """What to change first."""
    room: str | None
    """The room; ``<random>`` is drawn by the server."""
    agents: list[str]
    """Agents called into it."""
    challenged: str | None
    """Digest user that the caller must be."""
    because: list[str]
    """What decided."""
    candidates: list[Candidate]
    """Trunks and rules, nearest first."""
    hidden: int
    """How many are left out."""
    hints: list[str]
    """Traps that the call comes near."""
    based_on: str
    """Whether server or file was looked at."""


class Finding(TypedDict):
    """One check of the doctor."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    id: str
    """What was checked."""
    status: Literal["ok", "warning", "problem", "skipped"]
    """How it is."""
    evidence: str
    """What was seen."""
    fix: str | None
    """What to do."""
    can_mend: bool
    """Whether ``--fix`` does it."""


class Mended(TypedDict):
    """What ``--fix`` did."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    id: str
    """The check."""
    what: str
    """What was done."""


class Doctor(TypedDict):
    """``provision doctor``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    healthy: bool
    """Whether no problem is left; the exit code is 1 otherwise."""
    findings: list[Finding]
    """Every check."""
    mended: list[Mended]
    """What ``--fix`` did."""


class Validate(TypedDict):
    """``provision validate``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    file: str
    """The file."""
    valid: Literal[True]
    """A file that is not ends in an error."""
    warnings: list[Problem]
    """What does not happen as written."""
    apply_refuses: list[Problem]
    """What apply would refuse."""


class LeftAlone(TypedDict):
    """An object that import could not put into words."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    kind: ObjectKind
    """Which kind of object."""
    id: str
    """LiveKit's id."""
    name: str
    """Its name."""
    reason: str
    """Why."""


class Import(TypedDict):
    """``provision import``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    file: str
    """The file that was written."""
    trunks: list[str]
    """Names of the trunks in it."""
    rules: list[str]
    """Names of the rules in it."""
    secrets: int
    """How many passwords were put into files of their own."""
    left: list[LeftAlone]
    """What could not be said."""


class RenderedFile(TypedDict):
    """One file."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    name: str
    """What it is."""
    file: str | None
    """Where it was written."""
    sections: list[str]
    """Sections of the one file that went into it."""
    text: str | None
    """Its content; null when secrets are in it."""


class Render(TypedDict):
    """``provision render``."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    place: Literal["loopback", "private", "nat", "public"]
    """Where the line stands."""
    files: list[RenderedFile]
    """The files."""


class Carriers(TypedDict):
    """``provision carriers``; with a name, that one alone."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]

    carriers: list[Pack]
    """Their facts."""
    used_by: dict[str, list[str]]
    """Carrier to the names of its trunks in the file."""


PUBLISHED: dict[str, Any] = {
    "failure": Failure,
    "validate": Validate,
    "render": Render,
    "plan": Plan,
    "apply": Apply,
    "drift": Drift,
    "import": Import,
    "explain": Explanation,
    "doctor": Doctor,
    "carriers": Carriers,
}
"""Name of the schema's file to its shape; destroy speaks like apply."""
