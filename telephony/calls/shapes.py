"""What each type of event carries, as models; their JSON Schemas are published in docs/events.

Pure. What sources send may lack anything, so no field of theirs is required; what the record itself
says (``call.ended``, ``call.reported``, ``call.amended``) is complete.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from telephony.calls.outcomes import AnsweredBy, EndedBy, Outcome

LONGEST_TEXT = 8_000
"""Characters of one string before it is cut."""

SECRET_DIGIT = "•"  # noqa: S105 - what stands where a secret digit was
"""What is kept of a digit that belongs to an entry marked secret."""

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
SipStatus = Annotated[int, Field(ge=100, le=699)]
Milliseconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class EventData(BaseModel):
    """Base of what an event carries; unknown fields are kept as they came."""

    model_config = ConfigDict(extra="allow")


class CallDescription(EventData):
    """Who calls whom, over what."""

    direction: Literal["inbound", "outbound"] | None = None
    from_: Text | None = Field(None, alias="from", description="The calling number as it was sent.")
    to: Text | None = Field(None, description="The called number as it was sent.")
    trunk_id: Text | None = Field(None, description="LiveKit's id of the SIP trunk, ST_….")
    rule_id: Text | None = Field(None, description="LiveKit's id of the dispatch rule, SDR_….")
    room: Text | None = None
    sip_call_id: Text | None = Field(None, description="LiveKit's id of the SIP leg, SCL_….")
    sip_call_id_full: Text | None = Field(None, description="The SIP header Call-ID.")
    assistant: Text | None = None
    metadata: dict[str, Any] | None = Field(None, description="What the customer attached to the call.")


class CallRequested(CallDescription):
    """Somebody asked for an outbound call."""


class CallPermitted(EventData):
    """The guard allowed the call to be dialled."""


class CallDialling(CallDescription):
    """The INVITE may have left from now on."""


class CallRinging(CallDescription):
    """An INVITE arrived and is ringing, or the far phone rings."""

    invite_at: AwareDatetime | None = Field(None, description="When the INVITE came, or left.")


class CallAnswered(CallDescription):
    """The call was answered."""

    codec: Text | None = Field(None, description="PCMU or PCMA.")
    audio_path: Text | None = Field(None, description="direct or room.")


class AnswerEvidence(EventData):
    """What was heard of whoever answered a call that we dialled."""

    answered_ms: Milliseconds | None = Field(None, description="Since the answer.")
    greeting_ms: Milliseconds | None = Field(None, description="From the first sound of a voice to the last.")
    utterances: Count | None = None
    pauses_ms: list[Milliseconds] | None = Field(None, description="Between the utterances.")
    silence_ms: Milliseconds | None = Field(None, description="Since the last sound of a voice.")
    words: Text | None = Field(None, description="What was recognised, at most the last 500 characters.")
    cues: list[Text] | None = Field(None, description="Phrases of machines and people found in the words.")
    tones: list[Text] | None = Field(None, description="Tones of the network, and beeps.")
    model: Text | None = Field(None, description="What a language model made of the words.")
    early_media: Text | None = Field(None, description="What the network played before the answer.")


class CallAnsweredBy(EventData):
    """Who or what answered a call that we dialled; one that is told later replaces an earlier one."""

    answered_by: AnsweredBy | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: Text | None = Field(None, description="Why, in a few words.")
    decided_ms: Milliseconds | None = Field(None, description="From the answer to the decision.")
    revised: bool | None = Field(None, description="Whether what counted as a person proved to be a machine.")
    evidence: AnswerEvidence | None = None


class CallRefused(CallDescription):
    """We refused the INVITE; ``field`` names the setting that did not match."""

    invite_at: AwareDatetime | None = None
    sip_status: SipStatus | None = None
    field: Text | None = None
    sentence: Text | None = None


class MediaQuality(EventData):
    """What the bridge measured of one call's RTP."""

    packets_received: Count | None = None
    packets_sent: Count | None = None
    packets_lost: Count | None = None
    packets_late: Count | None = None
    jitter_ms: Milliseconds | None = None
    loss_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    mos: Annotated[float, Field(ge=1, le=5)] | None = Field(None, description="E-model estimate, 1 to 4.5.")
    r_factor: Annotated[float, Field(ge=0, le=100)] | None = Field(None, description="The same, 0 to 93.2.")
    gaps: Count | None = Field(None, description="Moments of more than 60 ms without the caller's audio.")
    longest_gap_ms: Milliseconds | None = None
    one_way: bool | None = Field(None, description="Nothing came from the phone, though we sent.")
    far_loss_percent: Annotated[float, Field(ge=0, le=100)] | None = Field(
        None, description="Of our packets, as the phone's side says by RTCP."
    )
    far_jitter_ms: Milliseconds | None = Field(None, description="Of our packets, as it says.")
    round_trip_ms: Milliseconds | None = Field(None, description="To the phone's side and back, by RTCP.")


class Usage(EventData):
    """What one provider's model was used for."""

    provider: Text = "unknown"
    model: Text = ""
    kind: Literal["stt", "llm", "tts", "realtime", "vad", "other"] = "other"
    audio_s: Annotated[float, Field(ge=0)] = 0
    characters: Count = 0
    input_tokens: Count = 0
    cached_tokens: Count = 0
    output_tokens: Count = 0


class EndReport(EventData):
    """One source's account of the end: the bridge's SIP leg, the job's session, the reconciler's search."""

    outcome: Outcome | None = None
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None
    code: Text | None = Field(None, description="A key of the table of causes, such as media_timeout.")
    cause: Text | None = Field(None, description="Why, in one sentence.")
    sip_status: SipStatus | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    quality: MediaQuality | None = None
    usage: list[Usage] | None = None


class CallReported(EndReport):
    """One more account of a fact: ``fact`` is the type under which the source reported it."""

    fact: Text


class FieldValue(EventData):
    """One collected field of a questionnaire."""

    value: Any = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    turn: Count | None = Field(None, description="The turn it came from: `turn` of its turn.completed.")


class Cost(EventData):
    """What the call cost by the price table of its time; micro-units of ``currency``."""

    currency: Text = "USD"
    total_micros: Count = 0
    lines: list[dict[str, Any]] = []


class CallSummary(EventData):
    """A finished call in one object."""

    outcome: Outcome
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy
    code: Text
    cause: Text
    sip_status: SipStatus | None = None
    direction: Literal["inbound", "outbound"]
    from_: dict[str, Any] | None = Field(None, alias="from")
    to: dict[str, Any] | None = None
    started_at: AwareDatetime
    answered_at: AwareDatetime | None = None
    ended_at: AwareDatetime
    duration_s: Annotated[float, Field(ge=0)]
    talk_s: Annotated[float, Field(ge=0)]
    assistant: Text | None = None
    quality: MediaQuality | None = None
    fields: dict[str, FieldValue] | None = None
    missing_fields: list[Text] | None = None
    cost: Cost | None = None
    missing_events: dict[str, list[list[int]]] | None = None


class CallAmended(EventData):
    """What accounts that came after the end have changed in the summary: name to new value."""

    changes: dict[str, Any]


class CallTransferred(EventData):
    """The caller was handed over, or the attempt failed; one event for each attempt."""

    to: Text | None = None
    kind: Literal["cold", "warm", "second_leg"] | None = None
    """cold: by REFER. second_leg: the operator was called into the room. warm: and told of the caller."""
    ok: bool | None = None
    outcome: (
        Literal["completed", "busy", "no_answer", "refused", "declined", "unreachable", "abandoned", "failed"]
        | None
    ) = None
    sip_status: SipStatus | None = None
    cause: Text | None = None


class DeclaredField(EventData):
    """A field that an assistant declares to collect."""

    name: Text = ""
    type: Literal["text", "number", "integer", "boolean", "date", "time", "phone", "email", "choice"] = "text"
    prompt: Text = ""
    required: bool = False
    read_back: bool = False
    choices: list[Text] | None = None


class AgentStarted(EventData):
    """The agent is ready for the call."""

    assistant: Text | None = None
    config_version: Text | None = Field(None, description="Version of the assistant's file.")
    language: Text | None = None
    audio_path: Text | None = None
    providers: dict[str, Any] | None = None
    declared_fields: list[DeclaredField] | None = None
    room: Text | None = None
    job_id: Text | None = None


class OverlapEvidence(EventData):
    """What was known of a sound of the caller's when it was decided on."""

    onset_ms: Milliseconds | None = Field(None, description="Since the sound began.")
    sound_ms: Milliseconds | None = Field(None, description="Of sound, pauses within it included.")
    silence_ms: Milliseconds | None = Field(None, description="Since the last sound.")
    paused_ms: Milliseconds | None = Field(None, description="For which the agent had been held.")
    snr_db: float | None = Field(None, description="The sound over the line's noise.")
    words: Text | None = Field(None, description="What was recognised so far.")
    final: bool | None = Field(None, description="Whether the words could not change any more.")
    transcripts: Literal["interim", "final", "none"] | None = None
    agent: Literal["speaking", "preparing", "listening"] | None = None
    question: Literal["yes_no", "choice", "digits", "open"] | None = None
    must_hear: Literal["disclosure", "read_back", "transfer", "goodbye", "message"] | None = None
    language: Text | None = None
    key: Text | None = None


class AgentInterrupted(EventData):
    """The caller spoke and the agent stopped."""

    text: Text | None = Field(None, description="What the agent had said until then.")
    word: Text | None = Field(None, description="The last word that was heard.")
    silence_ms: Milliseconds | None = None
    policy: Text | None = Field(None, description="Which policy gave the floor away, such as stop_words.")
    reason: Text | None = Field(None, description="Why, in a few words.")
    evidence: OverlapEvidence | None = None


class InterruptionIgnored(EventData):
    """The caller made a sound while the agent spoke, and kept none of the floor by it."""

    action: Literal["resume", "patience"] | None = Field(
        None, description="resume: the agent went on; patience: it waits for a caller who asked for a moment."
    )
    policy: Text | None = Field(None, description="Which policy decided, such as backchannels.")
    reason: Text | None = Field(None, description="Why, in a few words.")
    evidence: OverlapEvidence | None = None


class SpeechHeard(EventData):
    """Words that had to be heard are over; what was played is counted at the phone."""

    kind: Literal["disclosure", "read_back", "transfer", "goodbye", "message"] | None = None
    text: Text | None = Field(None, description="As far as it was played.")
    played_ms: Milliseconds | None = Field(None, description="Audio of it that went to the phone.")
    complete: bool | None = Field(None, description="Whether all of it did.")
    talked_over: bool | None = Field(None, description="Whether the caller was heard meanwhile.")


class ProviderTrouble(EventData):
    """A provider failed, kept the caller waiting, or was replaced."""

    stage: Literal["stt", "llm", "tts", "realtime"] | None = None
    kind: Literal["late", "failed", "switched", "exhausted", "returned"] | None = Field(
        None,
        description=(
            "late: a deadline was missed; failed: an error; switched: this provider serves from now on; "
            "exhausted: nobody could serve this turn; returned: the first choice serves again."
        ),
    )
    provider: Text | None = Field(None, description="Provider and model, such as deepgram/nova-3.")
    reason: Text | None = None


class FillerSpoken(EventData):
    """The caller was told to wait, because a deadline was missed."""

    text: Text | None = None
    stage: Literal["stt", "llm", "tts", "realtime"] | None = None


class CallerOnHold(EventData):
    """The caller plays music in place of speaking, or speaks again."""

    on: bool | None = Field(None, description="Whether the music plays.")


class TurnLatency(EventData):
    """Where the time between the caller's last and the agent's first sound went, in ms."""

    end_of_turn_ms: Milliseconds | None = None
    transcription_ms: Milliseconds | None = None
    llm_ms: Milliseconds | None = None
    tts_ms: Milliseconds | None = None
    transport_ms: Milliseconds | None = Field(
        None, description="From the first sound of the answer to the packet that carried it to the phone."
    )
    total_ms: Milliseconds | None = None


class TurnCompleted(EventData):
    """One finished utterance of either side."""

    turn: Count | None = Field(None, description="1, 2, 3 … through the call, both sides counted.")
    who: Literal["caller", "agent", "unknown"] = "unknown"
    text: Text = ""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    interrupted: bool = False
    interrupted_at: Text | None = Field(None, description="The word at which the agent was interrupted.")
    latency_ms: Milliseconds | None = Field(None, description="Caller's last sound to agent's first.")
    latency: TurnLatency | None = None
    latency_average: TurnLatency | None = Field(None, description="Of all answers of the call so far.")
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    language: Text | None = None


class ToolCalled(EventData):
    """The agent called a tool."""

    name: Text = ""
    arguments: Any = None
    result: Any = None
    ok: bool | None = None
    duration_ms: Milliseconds | None = None


class FieldsCollected(EventData):
    """Values for fields of the assistant's questionnaire; later ones replace earlier ones."""

    fields: dict[str, FieldValue] = {}
    declared: list[DeclaredField] | None = None


class UsageReported(EventData):
    """What the call used so far; the last report stands for the whole call."""

    usage: list[Usage] = []


class DtmfReceived(EventData):
    """A key the caller pressed; the digit of a secret entry is never kept."""

    digit: Annotated[str, Field(pattern=r"^[0-9A-D*#•]$")] = SECRET_DIGIT
    secret: bool = False


class RecordingReady(EventData):
    """A recording lies where the audio path left it."""

    path: Text = ""
    format: Text = "wav"
    channels: Count | None = None
    sample_rate: Count | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    started_at: AwareDatetime | None = None


class DoNotCallRequested(EventData):
    """The other side does not want to be called again: the record puts its number on the list."""

    phrase: Text | None = Field(None, description="The words by which it was understood.")
    language: Text | None = None
    number: Text | None = Field(None, description="The other side's number, as the job knows it.")


class RecordingRefused(EventData):
    """A party refused to be recorded: what was recorded is deleted, and nothing more is kept."""

    by: Text | None = None


class RecordingStored(EventData):
    """A recording is in the store."""

    recording_id: Text
    format: Text
    bytes: Count
    duration_s: Annotated[float, Field(ge=0)] | None = None
    sha256: Text | None = None
    expires_at: AwareDatetime | None = None


class RecordingDeleted(EventData):
    """A recording is gone from the store."""

    recording_id: Text
    reason: Literal["refused", "retention", "request"]


class RoomFact(EventData):
    """A room of LiveKit started or finished."""

    room: Text = ""
    sid: Text | None = None


class ParticipantFact(CallDescription):
    """A participant joined or left the call's room."""

    identity: Text | None = None
    kind: Text | None = None
    sid: Text | None = None
    status: Text | None = Field(None, description="sip.callStatus at that moment.")
    reason: Text | None = Field(None, description="LiveKit's disconnect reason.")


DATA: dict[str, type[EventData]] = {
    "call.requested": CallRequested,
    "call.permitted": CallPermitted,
    "call.dialling": CallDialling,
    "call.ringing": CallRinging,
    "call.answered": CallAnswered,
    "call.answered_by": CallAnsweredBy,
    "call.refused": CallRefused,
    "call.ended": CallSummary,
    "call.reported": CallReported,
    "call.amended": CallAmended,
    "call.transferred": CallTransferred,
    "agent.started": AgentStarted,
    "agent.interrupted": AgentInterrupted,
    "interruption.ignored": InterruptionIgnored,
    "speech.heard": SpeechHeard,
    "provider.trouble": ProviderTrouble,
    "filler.spoken": FillerSpoken,
    "caller.on_hold": CallerOnHold,
    "turn.completed": TurnCompleted,
    "tool.called": ToolCalled,
    "fields.collected": FieldsCollected,
    "usage.reported": UsageReported,
    "dtmf.received": DtmfReceived,
    "do_not_call.requested": DoNotCallRequested,
    "recording.ready": RecordingReady,
    "recording.refused": RecordingRefused,
    "recording.stored": RecordingStored,
    "recording.deleted": RecordingDeleted,
    "room.started": RoomFact,
    "room.finished": RoomFact,
    "participant.joined": ParticipantFact,
    "participant.left": ParticipantFact,
}
"""The model of each public type of event."""


class EndpointDisabled(EventData):
    """A webhook endpoint was switched off, since it failed for too long or is gone."""

    endpoint_id: Text
    reason: Text


class WebhookTest(EventData):
    """Sent to one endpoint on request, to see whether it answers."""

    endpoint_id: Text


class BatchFact(EventData):
    """A batch was made, paused, resumed, called off or finished; with its counts at that moment."""

    batch_id: Text
    name: Text = ""
    state: Literal["running", "paused", "cancelled", "finished"]
    by: Literal["operator", "breaker", "line"] = "line"
    reason: Text | None = None
    size: Count = 0
    waiting: Count = 0
    under_way: Count = 0
    done: Count = 0
    outcomes: dict[str, Count] = {}


class DoNotCallChanged(EventData):
    """A number was put on the do-not-call list, or taken off it."""

    number: Text
    source: Literal["api", "import", "call"] = "api"
    reason: Text | None = None
    call_id: Text | None = Field(None, description="The call in which it was asked for.")


LINE_DATA: dict[str, type[EventData]] = {
    "endpoint.disabled": EndpointDisabled,
    "webhook.test": WebhookTest,
    "batch.created": BatchFact,
    "batch.paused": BatchFact,
    "batch.resumed": BatchFact,
    "batch.cancelled": BatchFact,
    "batch.finished": BatchFact,
    "do_not_call.added": DoNotCallChanged,
    "do_not_call.removed": DoNotCallChanged,
}
"""The model of each type of event about the line itself."""

OF_THE_RECORD: frozenset[str] = frozenset(
    {"call.reported", "call.amended", "recording.stored", "recording.deleted"}
)
"""Types that only the record itself tells; no source may send them."""
