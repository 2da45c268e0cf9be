"""What the phone and we agreed to send each other, and how a re-INVITE changes it (RFC 3264).

Guarantee: hold is mirrored (sendonly gets recvonly, inactive gets inactive), the codec of the offer is
followed, and an offer that cannot be taken leaves what was agreed as it is. livekit-sip v1.11.0 answers
every re-INVITE with its first answer, sendrecv, which some carriers drop the call for.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.g711 import CODECS
from telephony.errors import SdpError
from telephony.sip.sdp import DTMF_PAYLOAD_TYPE, Answer, build_offer, negotiate, new_session_id, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.rtp.session import RtpSession


@dataclass(frozen=True, slots=True)
class _Offered:
    """An offer of ours that waits for the phone's answer."""

    body: bytes
    codecs: tuple[str, ...]
    dtmf_payload_type: int | None
    direction: str


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
        self._offered: _Offered | None = None

    @property
    def current(self) -> Answer:
        """What holds now.

        Raises:
            SdpError: nothing was agreed yet.
        """
        if self._current is None:
            raise SdpError("no media was agreed yet")
        return self._current

    @property
    def is_agreed(self) -> bool:
        """Whether anything was agreed."""
        return self._current is not None

    @property
    def is_held(self) -> bool:
        """Whether the phone holds the call, in whichever form: then silence says nothing of it."""
        return self._current is not None and self._current.direction != "sendrecv"

    @property
    def owes_answer(self) -> bool:
        """Whether the phone has yet to answer an offer of ours."""
        return self._offered is not None

    @property
    def codec(self) -> str:
        """``PCMU`` or ``PCMA``; empty before anything was agreed."""
        return self._current.codec if self._current is not None else ""

    @property
    def local(self) -> bytes:
        """What our 200 to the first INVITE carries: our answer, or our offer where the phone made none.

        Raises:
            SdpError: there is neither.
        """
        return self._offered.body if self._offered is not None else self.current.body

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
        self._offered = None
        self._follow(answer)
        return answer

    def offer(self) -> bytes:
        """Our first offer: every codec that we take."""
        return self._offer(self._codecs, DTMF_PAYLOAD_TYPE if self._dtmf else None, "sendrecv")

    def offer_again(self) -> bytes:
        """Our offer for a re-INVITE that came without one: all that we take, what holds now first."""
        return self._offer(self._current_first(), self._current_keys(), "sendrecv")

    def offer_same(self) -> bytes:
        """Our offer for a re-INVITE that only repeats the session: what holds now, a hold included."""
        return self._offer(self._current_first(), self._current_keys(), self.current.direction)

    def accept(self, body: bytes, *, is_final: bool = True) -> Answer:
        """Follow the phone's answer to our last offer.

        Args:
            is_final: False for one that comes before the 200, which may say otherwise.

        Raises:
            SdpError: it has none of the codecs that were offered, or is no answer; nothing has changed then.
        """
        offered = self._offered
        if offered is None:
            raise SdpError("there is no offer that this could answer")
        answer = read_answer(
            body,
            codecs=offered.codecs,
            dtmf_payload_type=offered.dtmf_payload_type,
            direction=offered.direction,
        )
        if is_final:
            self._offered = None
        self._follow(answer, keys_come_as=offered.dtmf_payload_type)
        return answer

    def _current_first(self) -> list[str]:
        return sorted(self._codecs, key=lambda name: name != self.current.codec)

    def _current_keys(self) -> int | None:
        return (self.current.dtmf_payload_type or DTMF_PAYLOAD_TYPE) if self._dtmf else None

    def _offer(self, codecs: Sequence[str], dtmf_payload_type: int | None, direction: str) -> bytes:
        self._version += 1
        body = build_offer(
            self._address,
            self._rtp.port,
            codecs,
            dtmf_payload_type,
            direction,
            self._session_id,
            version=self._version,
        )
        self._offered = _Offered(body, tuple(codecs), dtmf_payload_type, direction)
        return body

    def _follow(self, answer: Answer, *, keys_come_as: int | None = None) -> None:
        before, self._current = self._current, answer
        self._rtp.set_codec(dataclasses.replace(CODECS[answer.codec], payload_type=answer.payload_type))
        self._rtp.set_dtmf_payload_type(answer.dtmf_payload_type, receive=keys_come_as)
        # A refresh repeats the address; behind a NAT only the latched source is right, so it must stay.
        if before is None or before.remote != answer.remote:
            self._rtp.set_remote(answer.remote)
        self._rtp.hold = not answer.sends
