"""Everything that can go wrong, as one tree.

TrunklineError
├─ ConfigError          the operator's file or a setting is wrong
├─ StartError           a part of the line did not start
│  ├─ PortTakenError      its port is in use
│  └─ DependencyError     a program, package or model it needs is missing
├─ SipError             a SIP exchange failed
│  ├─ SipParseError       a datagram or header is not SIP as RFC 3261 writes it
│  ├─ SipTimeoutError     no final answer came (Timer B or F)
│  └─ SdpError            no common codec, or an unusable session description
├─ RtpError             no free media port, or a malformed packet
├─ AudioError           a sound file or array is not what was expected
├─ BusError             the Redis bus between bridge and livekit-server failed
├─ LinkError            a socket between the line's own processes failed
├─ DispatchError        the dispatcher is away or refused
├─ DialError            a call out cannot be asked for as it stands
├─ LiveKitError         livekit-server refused or did not answer
├─ TransferError        a caller was not handed over
├─ StoreError           the database or the store of recordings refused or did not answer
├─ SpeechError          a speech engine failed
├─ AssistantError       an assistant's file or tool is wrong
└─ ScriptError          a simulated caller's script is wrong or could not be followed

Each says in one sentence what happened, to which call or field, what to do about
it, and whether trying again can help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class TrunklineError(Exception):
    """Base of every error that the product raises on purpose.

    Args:
        message: one sentence: what happened.
        field: the setting, header or YAML path at fault, such as ``sip_trunks[0].numbers``.
        call_id: the call it happened to.
        fix: one sentence in the imperative: what to do.
        retryable: whether the same action can succeed later without any change.
    """

    exit_code = 1
    """What a command exits with: 1 failed, 2 wrong usage, 3 drift found."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        call_id: str | None = None,
        fix: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.call_id = call_id
        self.fix = fix
        self.retryable = retryable

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.field, self.call_id) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} {self.fix}" if self.fix else text


class ConfigError(TrunklineError):
    """The operator's file or a setting is wrong; nothing was started or changed."""


class StartError(TrunklineError):
    """A part of the line did not start."""


class PortTakenError(StartError):
    """The port that a part was told to use is in use by another program."""


class DependencyError(StartError):
    """A program, package or model that a part needs is missing."""


class SipError(TrunklineError):
    """A SIP exchange failed."""


class SipParseError(SipError):
    """Bytes or a header value that are not SIP as RFC 3261 section 25 writes it.

    ``status`` is the SIP status with which a request carrying it is refused, 400 unless said otherwise.
    """

    def __init__(self, message: str, *, field: str | None = None, status: int = 400) -> None:
        super().__init__(message, field=field)
        self.status = status


class SipTimeoutError(SipError):
    """No final response came before Timer B or F (RFC 3261 section 17.1) ran out."""


class SdpError(SipError):
    """A session description is unusable, or has no codec in common with ours."""


class RtpError(TrunklineError):
    """No free media port, or a packet that is not RTP (RFC 3550 section 5.1)."""


class AudioError(TrunklineError):
    """A sound file, or an array of samples, is not what was expected."""


class BusError(TrunklineError):
    """A request over the Redis bus failed; ``code`` is psrpc's code, such as ``unavailable``.

    ``sip_status`` is the final SIP response that a call or transfer got, as (status, reason), else None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        fix: str | None = None,
        sip_status: tuple[int, str] | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, fix=fix)
        self.code = code
        self.sip_status = sip_status


class LinkError(TrunklineError):
    """A socket between the line's own processes cannot be used, or what came over it is not understood."""


class DispatchError(TrunklineError):
    """No agent was dispatched; ``reason`` is the dispatcher's word, such as ``full`` or ``no_worker``."""

    def __init__(self, message: str, *, reason: str, retryable: bool = True, fix: str | None = None) -> None:
        super().__init__(message, retryable=retryable, fix=fix)
        self.reason = reason


class DialError(TrunklineError):
    """A call out cannot be asked for as it stands; nothing was dialled."""


class LiveKitError(TrunklineError):
    """livekit-server refused an operation or did not answer.

    ``code`` is Twirp's, such as ``not_found``; ``details`` what the server said beside it, such as
    ``sip_status_code`` of a call that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "unknown",
        details: Mapping[str, str] | None = None,
        field: str | None = None,
        fix: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, field=field, fix=fix, retryable=retryable)
        self.code = code
        self.details: Mapping[str, str] = dict(details or {})


class TransferError(TrunklineError):
    """A caller was not handed over.

    ``outcome`` is one word, such as ``busy``; ``cause`` a sentence for the record; ``sip_status`` the final
    one, where there was one; ``not_supported`` says that nobody was rung, since the caller's side takes no
    REFER.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: str,
        cause: str,
        sip_status: int | None = None,
        not_supported: bool = False,
        field: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, field=field, fix=fix)
        self.outcome = outcome
        self.cause = cause
        self.sip_status = sip_status
        self.not_supported = not_supported


class StoreError(TrunklineError):
    """The database or the store of recordings refused or did not answer; nothing was half written."""


class SpeechError(TrunklineError):
    """A speech engine could not recognise, think or speak."""


class AssistantError(TrunklineError):
    """An assistant's file is wrong, or one of its tools failed."""


class ScriptError(TrunklineError):
    """A simulated caller's script is wrong, or the call did not go as it says."""
