"""``routing.inbound_rules``: which call gets which room and agent. LiveKit's words, in snake_case."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from provisioning.sections.media import Media
from provisioning.sections.section import Duration, Name, Number, Section, Text


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) else value


Numbers = Annotated[
    list[Number],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One number or a list of them, in quotes."""

Pin = Annotated[str, Field(pattern=r"^[0-9]{1,16}$")]
"""Digits that a caller must press, in quotes."""

RoomName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f/\\]{0,200}$")]
"""A room's name or its beginning."""


class DirectRule(Section):
    """All callers share one room (livekit.SIPDispatchRuleDirect)."""

    room_name: RoomName = Field(min_length=1)
    """The room."""
    pin: Pin | None = None
    """PIN that every caller of the trunk is asked for."""


class IndividualRule(Section):
    """Every call has its room: ``<prefix>_<caller>_<random>`` (livekit.SIPDispatchRuleIndividual)."""

    room_prefix: RoomName = "call"
    """Beginning of the room's name; the server adds the underscore. Default call."""
    pin: Pin | None = None
    """PIN that every caller of the trunk is asked for."""
    no_randomness: bool = False
    """Leave the random part out: a caller's second call then throws out the first. Default false."""


class CalleeRule(Section):
    """One room a called number, ``<prefix>_<called>`` (livekit.SIPDispatchRuleCallee)."""

    room_prefix: RoomName = "call"
    """Beginning of the room's name; the server adds the underscore. Default call."""
    pin: Pin | None = None
    """PIN that every caller of the trunk is asked for."""
    randomize: bool = False
    """Add a random part, so that each call gets a room of its own. Default false."""


class RuleKind(Section):
    """Exactly one of the three (livekit.SIPDispatchRule)."""

    dispatch_rule_direct: DirectRule | None = None
    """All callers share one room."""
    dispatch_rule_individual: IndividualRule | None = None
    """Every call gets a room of its own."""
    dispatch_rule_callee: CalleeRule | None = None
    """One room a called number."""

    @model_validator(mode="after")
    def _exactly_one(self) -> RuleKind:
        given = [self.dispatch_rule_direct, self.dispatch_rule_individual, self.dispatch_rule_callee]
        if sum(rule is not None for rule in given) != 1:
            raise ValueError(
                "must hold exactly one of dispatch_rule_individual, dispatch_rule_direct "
                "and dispatch_rule_callee"
            )
        return self


class RoomAgent(Section):
    """An agent that is called into the room when it is made (livekit.RoomAgentDispatch)."""

    agent_name: Name
    """The worker's agent name."""
    metadata: dict[str, Any] | Text = Field(default_factory=dict)
    """What its job is told, as JSON or as it is."""


class RoomConfig(Section):
    """What the room is made with; counts only for the call that makes it (livekit.RoomConfiguration)."""

    empty_timeout: Duration | None = Field(default=None, le=86400)
    """How long an empty room waits for its first participant. Default: the server's, 5m."""
    departure_timeout: Duration | None = Field(default=None, le=86400)
    """How long it stays after the last one left. Default: the server's, 20s."""
    max_participants: int | None = Field(default=None, ge=0, le=10_000)
    """0: no limit. Default: the server's."""
    metadata: dict[str, Any] | Text = Field(default_factory=dict)
    """The room's metadata, as JSON or as it is."""
    agents: list[RoomAgent] | None = None
    """Agents called into it. Default: the file's agent, with the rule's assistant."""


class Match(Section):
    """Which calls a rule takes, by number; other spelling of numbers and inbound_numbers."""

    to: Numbers | None = None
    """Called numbers."""
    from_: Numbers | None = Field(default=None, alias="from")
    """Callers' numbers."""
    trunk: Name | None = None
    """The trunk's name."""


class Action(Section):
    """What a rule does with a call; other spelling of rule and room_config."""

    type: Literal["livekit_room"] = "livekit_room"
    """The only kind there is."""
    room_name_template: Text | None = None
    """Such as voice-ai-call-{call_id}; mapped to what LiveKit can name a room."""
    participant_name: Text | None = None
    """LiveKit names the participant itself: Phone <caller>."""
    participant_identity: Text | None = None
    """LiveKit gives the identity itself: sip_<caller>."""
    participant_metadata: dict[str, Any] | None = None
    """Becomes the rule's metadata."""
    room_metadata: dict[str, Any] | None = None
    """Becomes room_config.metadata; templates are filled by nobody."""
    agent_name: Name | None = None
    """The agent called into the room."""
    assistant: Name | None = None
    """The assistant it is told to be."""


class InboundRule(Section):
    """One dispatch rule."""

    name: Name
    """Unique in the file."""
    label: Text | None = None
    """Name shown at LiveKit. Default: name."""
    trunks: list[Name] | None = None
    """Names of the file's trunks whose calls it takes. Default: every inbound trunk of the file."""
    numbers: Numbers = Field(default_factory=list)
    """Called numbers it takes, in quotes. Default: any number of its trunks."""
    inbound_numbers: Numbers = Field(default_factory=list)
    """CALLERS it takes, in quotes; never our own number. Default: any caller."""
    match: Match | None = None
    """Other spelling of trunks, numbers and inbound_numbers."""
    action: Action | None = None
    """Other spelling of rule, room_config, assistant and agent_name."""
    rule: RuleKind | None = None
    """Which room. Default: one of its own for every call, prefix call."""
    agent_name: Name | None = None
    """The agent called into the room. Default: agent.name of the file."""
    assistant: Name | None = None
    """The assistant it is told to be. Default: assistants.default of the file."""
    room_config: RoomConfig = RoomConfig()
    """What the room is made with."""
    room_preset: str | None = Field(default=None, pattern=r"^[\w.-]{1,128}$")
    """Name of a configuration that the server holds (room.room_configurations)."""
    hide_phone_number: bool = False
    """Hash the caller's number in identity and attributes. Default false."""
    attributes: dict[str, Text] = Field(default_factory=dict)
    """Attributes of the caller's participant."""
    metadata: dict[str, Any] | Text = Field(default_factory=dict)
    """Metadata of the caller's participant, as JSON, beside our mark. Plain text needs an id."""
    krisp_enabled: bool = False
    """LiveKit Cloud's noise suppression; no effect on a server of one's own. Default false."""
    media: Media | None = None
    """Codecs of calls of this rule. Default: the trunk's."""
    id: str | None = Field(default=None, pattern=r"^SDR_[0-9A-Za-z]{4,64}$")
    """LiveKit's id of a rule that existed before; ``provision import`` writes it."""


class RoutingSection(Section):
    """Which call gets which room and which agent."""

    inbound_rules: list[InboundRule] = Field(default_factory=list)
    """Order does not count: LiveKit picks the most exact match (``provision explain`` shows it)."""
