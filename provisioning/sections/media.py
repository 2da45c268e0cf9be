"""``audio_codecs`` and a trunk's ``media``: what a telephone leg may speak."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from provisioning.sections.section import Duration, Section

CodecName = Annotated[
    Literal["PCMU", "PCMA", "G722", "AMR-WB", "opus"],
    BeforeValidator(lambda value: _codec_name(value)),
    WithJsonSchema(
        {"type": "string", "pattern": r"^([Pp][Cc][Mm][UuAa]|[Gg]722|AMR-WB|[Oo]pus|OPUS)(/\d+)?$"}
    ),
]
"""An RTP encoding name; case does not count."""

CODEC_RATES: dict[str, int] = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "AMR-WB": 16000, "opus": 48000}
"""The RTP clock rate that goes with each name (RFC 3551 gives G.722 8000)."""

PHONE_CODECS = ("PCMA", "PCMU")
"""What every carrier's telephone leg can speak, and so the default."""


def _codec_name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name = value.split("/")[0]
    known = {"opus": "opus", **{codec.upper(): codec for codec in CODEC_RATES}}
    return known.get(name.upper(), known.get(name.lower(), value))


class AudioCodec(Section):
    """One codec that the line may speak."""

    name: CodecName
    """PCMU, PCMA, G722, AMR-WB or opus."""
    priority: int = Field(default=100, ge=0, le=1000)
    """Lower comes first. Default 100."""
    rate: int | None = Field(default=None, ge=8000, le=48000)
    """RTP clock rate in Hz. Default: the codec's own."""
    enabled: bool = True
    """Default true."""


class MediaCodec(Section):
    """One codec of a trunk's or rule's own list (livekit.SIPCodec)."""

    name: CodecName
    """PCMU, PCMA, G722 or AMR-WB."""
    rate: int = Field(default=8000, ge=8000, le=48000)
    """RTP clock rate in Hz. Default 8000."""


class Media(Section):
    """How a trunk's or rule's audio is negotiated (livekit.SIPMediaConfig)."""

    only_listed_codecs: bool = False
    """Whether nothing but codecs may be negotiated. Default false."""
    codecs: list[MediaCodec] = Field(default_factory=list)
    """Codecs of this trunk or rule. Default: those of audio_codecs."""
    encryption: Literal["disable", "allow", "require"] = "disable"
    """SDES SRTP. allow: if the peer offers it; require: or the call is refused. Default disable."""
    media_timeout: Duration | None = Field(default=None, le=600)
    """How long a call lives without a packet, at most 10m. Default: the bridge's own, 15s."""
