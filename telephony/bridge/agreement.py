"""What the phone and we agreed to send each other, and how a re-INVITE changes it (RFC 3264).

Guarantee: hold is mirrored (sendonly gets recvonly, inactive gets inactive), the codec of the offer is
followed, and an offer that cannot be taken leaves what was agreed as it is. livekit-sip v1.11.0 answers
every re-INVITE with its first answer, sendrecv, which some carriers drop the call for.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from telephony.audio.g711 import CODECS
from telephony.errors import SdpError
from telephony.sip.sdp import DTMF_PAYLOAD_TYPE, Answer, build_offer, negotiate, new_session_id, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.rtp.session import RtpSession


class MediaAgreement:
    """The session description of one call, and its RTP session's settings.

    Args:
        codecs: names we take, the preferred first.
        address: IPv4 address that the phone is told to send to.
    """

    def __init__(self, rtp: RtpSession, *, codecs: Sequence[str], dtmf: bool, address: str) -> None:
        self._rtp = rtp
        self._codecs = list(codecs)
        self._dtmf = dtmf
        self._address = address
        self._session_id = new_session_id()
        self._version = 0
        self._current: Answer | None = None

    @property
    def current(self) -> Answer:
        """What holds now.

        Raises:
            SdpError: nothing was agreed yet.
        """
        if self._current is None:
            raise SdpError("no media was agreed yet")
        return self._current

    def take(self, offer: bytes) -> Answer:
        """Answer an offer and follow it.

        Raises:
            SdpError: it has no codec in common with ours, or is no offer; nothing has changed then.
        """
        answer = negotiate(
            offer,
            codecs=self._codecs,
            address=self._address,
            port=self._rtp.port,
            dtmf=self._dtmf,
            session_id=self._session_id,
            version=self._version + 1,
        )
        self._version += 1
        self._follow(answer)
        return answer

    def offer(self) -> bytes:
        """Our offer for a call of our own: every codec that we take."""
        self._version += 1
        return build_offer(
            self._address,
            self._rtp.port,
            self._codecs,
            DTMF_PAYLOAD_TYPE if self._dtmf else None,
            session_id=self._session_id,
            version=self._version,
        )

    def accept(self, body: bytes) -> Answer:
        """Follow the phone's answer to ``offer``.

        Raises:
            SdpError: it has none of the codecs that were offered, or is no answer; nothing has changed then.
        """
        answer = read_answer(
            body, codecs=self._codecs, dtmf_payload_type=DTMF_PAYLOAD_TYPE if self._dtmf else None
        )
        self._follow(answer, keys_come_as=DTMF_PAYLOAD_TYPE)
        return answer

    def _follow(self, answer: Answer, *, keys_come_as: int | None = None) -> None:
        before, self._current = self._current, answer
        self._rtp.set_codec(dataclasses.replace(CODECS[answer.codec], payload_type=answer.payload_type))
        self._rtp.set_dtmf_payload_type(answer.dtmf_payload_type, receive=keys_come_as)
        # A refresh repeats the address; behind a NAT only the latched source is right, so it must stay.
        if before is None or before.remote != answer.remote:
            self._rtp.set_remote(answer.remote)
        self._rtp.hold = not answer.sends

    def offer_again(self) -> bytes:
        """Our offer for a re-INVITE that came without one: what holds now."""
        current = self.current
        self._version += 1
        return build_offer(
            self._address,
            self._rtp.port,
            [current.codec],
            current.dtmf_payload_type,
            session_id=self._session_id,
            version=self._version,
        )
