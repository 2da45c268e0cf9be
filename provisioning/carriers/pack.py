"""Read a carrier's pack: facts with source and confidence, what is not known, and the traps.

A pack never guesses. A fact without a value is a question for the carrier, and says which.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from provisioning.reading.document import parse_document
from provisioning.reading.problem import in_reading_order
from provisioning.reading.validation import validate_tree
from provisioning.sections.media import CodecName
from provisioning.sections.section import HeaderName, Host, Port, Section, Text
from provisioning.sections.trunks import Address, Carrier, Transport
from telephony.errors import ConfigError

Confidence = Literal["official", "field", "tested", "inferred", "unknown"]
"""official: the carrier's own words · field: somebody's working set-up · tested: run by us on loopback ·
inferred: our conclusion · unknown: ask."""

THE_LOGIN = "the login"
"""The value of the fact ``from_user`` at carriers that know a caller by the login alone."""

_FOLDER = Path(__file__).parent


class Fact(Section):
    """One thing that is or is not known."""

    confidence: Confidence
    """How sure it is."""
    source: Text = ""
    """Who says so; for what is unknown, empty."""
    ask: Text = ""
    """For what is unknown: the question to the carrier."""
    note: Text = ""
    """What to keep in mind with it."""

    @model_validator(mode="after")
    def _is_sourced(self) -> Fact:
        if self.confidence != "unknown" and not self.source:
            raise ValueError("what is known needs a source")
        if (getattr(self, "value", None) is None) != (self.confidence == "unknown"):
            raise ValueError("a value is given exactly when the confidence is not unknown")
        if self.confidence == "unknown" and not self.ask:
            raise ValueError("what is unknown needs a question (ask)")
        return self


class HostFact(Fact):
    """A host name."""

    value: Host | None = None
    """The host."""


class PortFact(Fact):
    """A port."""

    value: Port | None = None
    """The port."""


class TransportFact(Fact):
    """A SIP transport."""

    value: Transport | None = None
    """udp, tcp or tls."""


class RangesFact(Fact):
    """Address ranges."""

    value: list[Address] | None = None
    """The ranges."""


class CodecsFact(Fact):
    """Codecs, best first."""

    value: list[CodecName] | None = None
    """The codecs."""


class FormatFact(Fact):
    """A spelling of numbers."""

    value: Literal["plus", "digits"] | None = None
    """plus: +74951234567; digits: 74951234567."""


class FlagFact(Fact):
    """Yes or no."""

    value: bool | None = None
    """The answer."""


class TextFact(Fact):
    """Words."""

    value: Text | None = None
    """The words."""


class HeaderFact(Fact):
    """A SIP header's name."""

    value: HeaderName | None = None
    """The header."""


class Trap(Section):
    """Something that others fell into."""

    text: Text
    """What happens, and what to do."""
    source: Text
    """Who says so."""


class Facts(Section):
    """Everything a trunk wants to know of its carrier."""

    host: HostFact
    """Where calls out go."""
    port: PortFact
    """SIP port there."""
    transport: TransportFact
    """SIP transport."""
    source_ranges: RangesFact
    """Where calls in come from."""
    media_ranges: RangesFact
    """Where RTP comes from."""
    codecs: CodecsFact
    """Codecs in their order."""
    dial_format: FormatFact
    """How numbers are dialled."""
    inbound_number_format: FormatFact
    """How our number is written in the To header of calls in."""
    from_host: HostFact
    """Host of the From header of calls out."""
    from_user: TextFact
    """What stands in the user part of From."""
    dtmf: TextFact
    """How keys travel."""
    register_needed: FlagFact
    """Whether calls in need a registration."""
    digest: FlagFact
    """Whether calls out are challenged."""
    called_number_header: HeaderFact
    """A header that carries the number that was dialled, when To does not."""
    echo_test_number: TextFact
    """A number that sends back what it hears."""
    session_timers: TextFact
    """Whether calls must be refreshed (RFC 4028)."""
    concurrent_calls: TextFact
    """How many calls at once."""


class Pack(Section):
    """One carrier and product."""

    id: Carrier
    """The name in sip_trunks[].carrier."""
    name: Text
    """Carrier and product, for people."""
    summary: Text
    """When to use it, in a sentence or two."""
    platforms: list[Literal["v1", "v2"]] = Field(default_factory=list)
    """The carrier's platforms that sell this product; the file must say which one it is."""
    directions: list[Literal["inbound", "outbound"]] = Field(
        default_factory=lambda: list[Literal["inbound", "outbound"]](["inbound", "outbound"])
    )
    """Which calls this product carries. Default both."""
    page: Text = ""
    """The page of the documentation."""
    facts: Facts
    """What is known."""
    traps: list[Trap] = Field(default_factory=list)
    """What others fell into."""
    checked: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """When the sources were read."""

    def known(self, name: str) -> Any:
        """The value of a fact, None when it is not known."""
        return getattr(self.facts, name).value


@cache
def load_pack(carrier: str) -> Pack:
    """The pack of one carrier.

    Raises:
        ConfigError: there is no such carrier, or its file is wrong.
    """
    path = _FOLDER / f"{carrier}.yaml"
    if carrier not in get_args(Carrier) or not path.is_file():
        raise ConfigError(f"there is no carrier named {carrier!r}.", fix="`provision carriers` lists them.")
    document = parse_document(path.read_bytes())
    pack, problems = validate_tree(Pack, document, lambda name: name)
    if pack is None or document.problems:
        listed = "; ".join(str(problem) for problem in in_reading_order(document.problems + problems))
        raise ConfigError(f"the facts of carrier {carrier} are not usable: {listed}")
    return pack


def all_packs() -> list[Pack]:
    """Every carrier, in the order of the documentation."""
    return [load_pack(carrier) for carrier in get_args(Carrier)]
