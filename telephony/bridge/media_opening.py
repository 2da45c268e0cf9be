"""The phone's side of a call's media, opened alike for calls in and out: codecs, port, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.agreement import MediaAgreement
from telephony.rtp.session import RtpSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.bridge.call import Call
    from telephony.bridge.call_services import CallServices


def codecs_for(services: CallServices, listed: Sequence[str]) -> list[str]:
    """The codecs of one call, the preferred first; may be empty.

    Args:
        listed: names that the trunk or rule wants and nothing else; empty = ours.
    """
    return [name for name in services.config.audio_codecs if not listed or name in listed]


async def open_media(services: CallServices, call: Call, codecs: Sequence[str]) -> MediaAgreement:
    """Take a media port for a call; nothing is agreed with the phone yet.

    Args:
        codecs: as ``codecs_for`` gives them.

    Raises:
        RtpError: no port is free.
    """
    config = services.config
    rtp = await RtpSession.open(
        address=config.listen_ip,
        ports=services.ports,
        clock=services.clock,
        jitter_buffer_ms=config.jitter_buffer_ms,
        symmetric=config.symmetric_rtp,
        loop=services.media.loop,
    )
    agreement = MediaAgreement(rtp, codecs=codecs, dtmf=config.dtmf, address=config.advertised_ip)
    call.use_rtp(rtp, agreement)
    return agreement
