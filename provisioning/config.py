"""The operator's one file, read whole or refused whole.

``load_config`` gives every part of the line the same typed, strict view of
``config/livekit-sip.yaml``. Whatever is wrong is said at once, each with line and column, and
never with a secret in it. Nothing is connected to and nothing is guessed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dotenv import dotenv_values
from pydantic import Field

from provisioning.coherence import check_coherence
from provisioning.coherence.rest import problems_of_the_rest
from provisioning.reading.document import Document, parse_document
from provisioning.reading.expansion import Expanded, expand_tree
from provisioning.reading.literal_secrets import literal_secrets
from provisioning.reading.problem import Note, Position, Problem, in_reading_order, position_of
from provisioning.reading.problem import Path as TreePath
from provisioning.reading.validation import validate_tree
from provisioning.sections.agent import AgentSection, AssistantsSection
from provisioning.sections.api import ApiSection
from provisioning.sections.bridge import BridgeSection
from provisioning.sections.livekit import LiveKitSection, RedisSection
from provisioning.sections.media import AudioCodec
from provisioning.sections.operations import HealthCheckSection, LoggingSection, RecordingSection
from provisioning.sections.outbound import OutboundSection
from provisioning.sections.routing import RoutingSection
from provisioning.sections.section import Name, Section
from provisioning.sections.trunks import Trunk
from provisioning.sections.webhooks import WebhooksSection
from telephony.errors import ConfigError
from telephony.speech.settings import SpeechSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")

DEFAULT_CONFIG = Path("config/livekit-sip.yaml")
"""The file that commands read when they are given none."""

ENV_FILE = ".env.local"
"""Looked for in the working directory, beside the file, and one folder above it; the first one counts."""

_MAX_SECRET_BYTES = 64 * 1024


class LineConfig(Section):
    """The whole file."""

    line: Name = "default"
    """Name of this line: what it owns at LiveKit is marked with it. Default "default"."""
    livekit: LiveKitSection = LiveKitSection()
    """The server that keeps trunks and rules."""
    redis: RedisSection = RedisSection()
    """The bus that server and bridge share."""
    sip_trunks: list[Trunk] = Field(default_factory=list)
    """Carrier lines."""
    routing: RoutingSection = RoutingSection()
    """Which call gets which room and agent."""
    assistants: AssistantsSection = AssistantsSection()
    """What the agent says."""
    agent: AgentSection = AgentSection()
    """Who answers."""
    speech: SpeechSettings = SpeechSettings()
    """Who listens, thinks and speaks."""
    bridge: BridgeSection = BridgeSection()
    """SIP and RTP."""
    outbound: OutboundSection = OutboundSection()
    """Calls that we place."""
    webhooks: WebhooksSection = WebhooksSection()
    """Hooks in and out."""
    api: ApiSection = ApiSection()
    """The record of calls over HTTP."""
    audio_codecs: list[AudioCodec] = Field(
        default_factory=lambda: [AudioCodec(name="PCMA", priority=1), AudioCodec(name="PCMU", priority=2)]
    )
    """What a telephone leg may speak. Default PCMA, then PCMU."""
    recording: RecordingSection = RecordingSection()
    """Recording of calls."""
    logging: LoggingSection = LoggingSection()
    """What is logged."""
    health_check: HealthCheckSection = HealthCheckSection()
    """How often the line looks after itself."""


class ConfigProblemsError(ConfigError):
    """The file is wrong; ``problems`` has every mistake, in reading order."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [f"{file}: {count}"] + [f"  {file}:{problem}" for problem in problems]
        super().__init__("\n".join(lines))
        self.file = file
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A file that was read, with what is worth saying about it.

    Attributes:
        config: the file's meaning.
        file: where it was read from.
        notes: what does not happen as written, in reading order.
        document: positions of every value, for whoever finds fault later.
    """

    config: LineConfig
    file: Path
    notes: list[Note]
    document: Document

    def placed(self, problem: Problem) -> Problem:
        """A problem found later, with its position in the file."""
        return _placed(problem, self.document)

    def at(self, *path: str | int) -> str:
        """``file:line:column`` of a value, or of its nearest ancestor."""
        position = position_of(path, self.document.positions)
        return f"{self.file}:{position}" if position else str(self.file)


def load_config(path: Path, env: Mapping[str, str] | None = None) -> LineConfig:
    """Read the operator's file.

    Args:
        path: the YAML file.
        env: what ``${…}`` is expanded from. Default: ``.env.local``, overridden by the process's environment.

    Raises:
        ConfigError: the file cannot be read or is wrong; all problems are listed with line:column.
    """
    return load(path, env).config


def load(path: Path, env: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read the operator's file and keep positions and notes; raises as ``load_config``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}.", fix="Name the file with --config."
        ) from error
    return load_bytes(data, path, environment(path) if env is None else env)


def load_bytes(data: bytes, path: Path, env: Mapping[str, str]) -> LoadedConfig:
    """Read a file's bytes; ``path`` is what errors name and what ``*_file`` is relative to."""
    document = parse_document(data)
    if document.tree is None and not document.problems:
        raise ConfigProblemsError(path, [Problem((), "the file is empty.", Position(1, 1))])
    _as_lists(document)
    document.tree, unexpanded = expand_tree(document.tree, env, document.positions)
    problems = document.problems + unexpanded
    if document.tree is None or not isinstance(document.tree, dict):
        problems = problems or [Problem((), "must be a mapping of sections.", Position(1, 1))]
        raise ConfigProblemsError(path, in_reading_order(problems))

    config, invalid = validate_tree(LineConfig, document, lambda name: _read_secret(path.parent / name))
    notes: list[Note] = []
    if config is not None:
        found, notes = check_coherence(config)
        invalid = [_placed(problem, document) for problem in found]
        notes += literal_secrets(config, document.tree)
        notes = [_placed(note, document) for note in notes]
    else:
        rest = problems_of_the_rest(document.tree, [*problems, *invalid], _validated)
        invalid += [_placed(problem, document) for problem in rest]
    problems += invalid
    if problems or config is None:
        raise ConfigProblemsError(path, in_reading_order(problems))
    return LoadedConfig(config, path, in_reading_order(notes), document)


def _validated(tree: dict[str, Any]) -> LineConfig | None:
    return validate_tree(LineConfig, Document(tree), lambda _: Expanded("not looked at twice"))[0]


def environment(path: Path) -> dict[str, str]:
    """What ``${…}`` is expanded from: the nearest ``.env.local``, overridden by the process's environment."""
    for folder in (Path.cwd(), path.parent, path.parent.parent):
        if (folder / ENV_FILE).is_file():
            values = dotenv_values(folder / ENV_FILE, interpolate=False)
            return {**{key: value for key, value in values.items() if value is not None}, **os.environ}
    return dict(os.environ)


def _read_secret(path: Path) -> Expanded:
    data = path.read_bytes()
    if len(data) > _MAX_SECRET_BYTES:
        raise ValueError("it is too large for a secret")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text:
        raise ValueError("it is empty")
    return Expanded(text)


def _placed(problem: Problem, document: Document) -> Problem:
    return Problem(problem.path, problem.message, position_of(problem.path, document.positions), problem.fix)


def _as_lists(document: Document) -> None:
    """Read ``name: {…}`` entries of trunks and rules as a list of entries with that name."""
    if not isinstance(document.tree, dict):
        return
    routing = document.tree.get("routing")
    places: list[tuple[dict[str, Any], TreePath]] = [(document.tree, ("sip_trunks",))]
    if isinstance(routing, dict):
        places.append((routing, ("routing", "inbound_rules")))
    for owner, path in places:
        named = owner.get(str(path[-1]))
        if not isinstance(named, dict) or not all(isinstance(entry, dict) for entry in named.values()):
            continue
        order = {name: n for n, name in enumerate(named)}
        owner[str(path[-1])] = [{"name": name, **entry} for name, entry in named.items()]
        _renumber(document.positions, path, order)
        _renumber(document.written, path, order)


def _renumber(table: dict[TreePath, Value], path: TreePath, order: dict[str, int]) -> None:
    for old in [place for place in table if place[: len(path)] == path and len(place) > len(path)]:
        table[(*path, order[str(old[len(path)])], *old[len(path) + 1 :])] = table.pop(old)
