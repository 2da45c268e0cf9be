"""One call in one place: from the job's first moment to its outcome.

The call begins when the session is in the room and ends exactly once, whoever ends it: the caller by
leaving, the agent by its protocol of hanging up, the operator by taking over, the line by failing.
Whatever happens in between, the room is ended with the call, and the record says how it went.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import NOT_GIVEN, Agent, RunContext, utils
from livekit.agents.voice.events import CloseEvent, CloseReason

from telephony.agent.answering import Answering
from telephony.agent.aside import AsideOutput
from telephony.agent.audio_path import RoomPath, attach
from telephony.agent.callee import Callee
from telephony.agent.caller import Caller, find_caller
from telephony.agent.clips import SpokenClips, clip_texts, for_bridge
from telephony.agent.conversation import Conversation, finished_goodbye
from telephony.agent.dead_air import DeadAir, follow_caller, interrupt_all
from telephony.agent.dialled import dials_out, presses_keys
from telephony.agent.ending import SERVER_LOST, Ending, bridge_hung_up, caller_left, is_meant
from telephony.agent.flow_log import FlowLog, is_wanted
from telephony.agent.greeting import PreparedSpeech
from telephony.agent.handover.handover import OPERATOR_HUNG_UP, Handover
from telephony.agent.handover.left_over import settle_left_over
from telephony.agent.handover.told import briefing_of
from telephony.agent.hangup import DRAIN_S, HangUp
from telephony.agent.journal import Journal, resumed_job
from telephony.agent.questionnaire import Questionnaire
from telephony.agent.realtime_call import follow_model, note_times, session_of
from telephony.agent.record import CallRecord
from telephony.agent.room import delete_room
from telephony.agent.room_recording import RoomRecording
from telephony.agent.session import close_without_waiting, ears_of
from telephony.agent.tools import function_tools
from telephony.agent.turn_taking import TurnTaking, TurnTakingAgent
from telephony.agent.usage import usage_of
from telephony.agent.watched_agent import WatchedNodes
from telephony.assistants.flow import Flow
from telephony.assistants.tools.callbacks import CallbackList
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.diary import Diary
from telephony.assistants.tools.http import HttpReach
from telephony.clock import LoopClock
from telephony.errors import LinkError, TransferError
from telephony.logs import get_logger
from telephony.recording.recorder import Recorder
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.languages import in_language
from telephony.speech.providers import Providers, build
from telephony.spool import EventSpool
from telephony.webhooks.guard import AddressGuard, networks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine

    from livekit.agents import AgentSession, JobContext, ModelSettings, llm, stt
    from livekit.agents.voice import SpeechHandle

    from telephony.agent.direct_path import DirectPath
    from telephony.agent.handover.operator_leg import OperatorLeg
    from telephony.agent.handover.outcome import TransferKind
    from telephony.agent.realtime_call import Pipeline
    from telephony.agent.settings import AgentSettings
    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.calls.events import EventType
    from telephony.turns.no_more_calls.matcher import Demand

log = get_logger(__name__)

GO_ON = "The line was interrupted for a moment. Go on where you were, without greeting again."
"""What a language model is told that takes over a call."""

CALLER_WAIT_S = 10.0
"""How long a job waits for its caller to be in the room."""
CALLEE_WAIT_S = 60.0
"""The same in a call that is dialled: the job is there before the phone is."""
SERVER_AWAY_S = 15.0
"""How long livekit-server may be away from a call that goes through its room."""

CALLER_BACK_S = 3.0
"""How long a caller whose connection was lost may be away while ours is whole."""

_NO_MODELS = ("offline", "timed")
"""Of them nobody can be asked who answered a call."""

_LOOK_S = 0.1
_CLOSE_S = 1.0


class PhoneAgent(TurnTakingAgent):
    """An agent that says when it can talk and listen."""

    def __init__(
        self,
        turns: TurnTaking,
        entered: Callable[[], Awaitable[None]],
        answering: Answering | None = None,
        **options: Any,
    ) -> None:
        super().__init__(turns, **options)
        self._entered = entered
        self._answering = answering

    async def on_enter(self) -> None:
        await self._entered()

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Words of whoever answers are evidence before they are a conversation's."""
        answering = self._answering
        if answering is None:
            words: AsyncIterable[stt.SpeechEvent] = Agent.default.stt_node(self, audio, model_settings)
        else:
            words = answering.recognised(
                lambda line: Agent.default.stt_node(self, line, model_settings), audio
            )
        async for event in self._turns.hear(words):
            yield event


class WatchedPhoneAgent(WatchedNodes, PhoneAgent):
    """The same, where what flows through its pipeline is written down."""


class Call:
    """The call of one job.

    Args:
        ctx: the job; its room is not connected yet.
        settings: the worker's.
        assistant: who answers.
    """

    def __init__(self, ctx: JobContext, settings: AgentSettings, assistant: Assistant) -> None:
        self._ctx = ctx
        self._settings = settings = settings.for_assistant(assistant)
        self._assistant = assistant
        self._realtime = settings.line.speech.pipeline == "realtime"
        offline = settings.line.speech.llm.provider == "offline" and not self._realtime
        scripted = offline and assistant.flow is not None
        self._flow = Flow(assistant) if scripted else None
        self._desk = Desk(
            assistant=assistant,
            diary=Diary(settings.data / "diary.json"),
            callbacks=CallbackList(settings.data / "callbacks.json"),
            collected=self._on_collected,
            refuse_recording=self._on_recording_refused,
            http=HttpReach(AddressGuard(networks(settings.line.assistants.allowed_networks))),
        )
        self._caller: Caller | None = None
        self._record: CallRecord | None = None
        self._providers: Pipeline | None = None
        self._session: AgentSession[None] | None = None
        self._conversation: Conversation | None = None
        self._turns: TurnTaking | None = None
        self._dead_air: DeadAir | None = None
        self._flow_log = self._wanted_log()
        self._greeting: PreparedSpeech | None = None
        self._answering: Answering | None = None
        self._path: RoomPath | DirectPath | None = None
        self._journal = Journal(settings.journals, ctx.job.id)
        self._history: llm.ChatContext | None = None
        """What was said before this job took the call over; None where it began with it."""
        self._superseded = False
        self._recorder: Recorder | None = None
        self._recording: RoomRecording | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._hanging_up: Ending | None = None
        self._ending: Ending | None = None
        self._handed_over = False
        self._transferring = False
        self._fields: dict[str, Any] = {}
        self._room_gone = False
        self._room_away = False
        self._caller_missed = False

    async def begin(self) -> None:
        """Join the call and greet the caller; returns when the call can go on by events alone.

        Raises:
            TrunklineError: the assistant or a provider is not usable.
        """
        self._follow_room()
        providers = self._providers = self._build()
        text = self._assistant.greeting
        self._greeting = PreparedSpeech(providers.tts, text, SpokenClips(self._settings).load(text))
        recogniser = providers.stt if isinstance(providers, Providers) else None
        turns = self._turns = TurnTaking(
            self._assistant, recogniser, state=self._flow_state, tell=self._on_turn_taking
        )
        session = self._session = session_of(providers, self._assistant, turns)
        session.on("close", self._on_session_close)
        self._conversation = self._follow(session)
        if isinstance(providers.llm, DialogueLlm):
            providers.llm.follow(session)
        self._take_over(session)
        if self._history is None:
            self._answering = self._dialled(session, turns, self._conversation, providers)
        path = self._path = await self._attach(session)
        self._watch(session, providers)
        if self._flow_log is not None:
            self._flow_log.follow(session)
        kind = PhoneAgent if self._flow_log is None else WatchedPhoneAgent
        agent = kind(
            turns,
            self._enter,
            self._answering,
            instructions=self._assistant.instructions,
            tools=self._tools(),
            chat_ctx=self._history or NOT_GIVEN,
        )
        if isinstance(agent, WatchedPhoneAgent):
            agent.flow = self._flow_log
        await session.start(
            agent,
            room=self._ctx.room,
            room_options=path.options,
            record=False,
            # Nobody in the room may drive the session from afar.
            session_host=False,
        )
        path.started()
        if self._over.is_set():
            return
        if not path.greets_early:
            self._record_room()
            self._open_talk()
        if self._answering is None:
            self._conversation.limit_time(self._longest_s)
        else:
            self._answering.listen(session)
            self._spawn(self._answering.lead())
        self._spawn(self._keep_clips(path))
        await self._await_caller()

    def _watch(self, session: AgentSession[None], providers: Pipeline) -> None:
        """Have whoever waits for the agent hear something, whatever a provider does."""
        aside = None
        if session.output.audio is not None:
            aside = session.output.audio = AsideOutput(session.output.audio)
        dead_air = self._dead_air = DeadAir(
            session,
            aside,
            self._assistant.rescue,
            SpokenClips(self._settings).load,
            LoopClock(),
            give_up=lambda cause: self._spawn(self._give_up(session, cause)),
            tell=self._on_turn_taking,
            held=lambda: self._turns is not None and self._turns.holding,
        )
        providers.on_trouble(dead_air.trouble)
        if not isinstance(providers, Providers):
            follow_model(session, providers, dead_air, self._turns)
        elif providers.guarded_stt is not None:
            follow_caller(session, providers.guarded_stt)

    async def _attach(self, session: AgentSession[None]) -> RoomPath | DirectPath:
        try:
            path = await attach(session, self._ctx, self._settings)
        except LinkError:
            # The call is over, or another job's; so is its room.
            self._room_gone = True
            raise
        if self._answering is not None:
            self._answering.listen(session)
            if not presses_keys(self._ctx.job.metadata):
                path.on_answered = self._answering.answered
        path.on_key = self._press
        path.on_hung_up = self._on_hung_up
        path.on_lost = self._on_superseded
        if path.call_id:
            self._begin_record(path.call_id, path.name)
        return path

    async def _enter(self) -> None:
        assert self._path is not None, "attached before the session starts"
        if self._turns is not None and self._session is not None:
            self._turns.attach(self._session)
        self._watch_model()
        self._path.ready()
        if self._path.greets_early:
            self._open_talk()

    def _dialled(
        self, session: AgentSession[None], turns: TurnTaking, talk: Conversation, providers: Pipeline
    ) -> Answering | None:
        """What leads a call that is dialled until there is somebody to talk to."""
        if not dials_out(self._ctx.job.metadata):
            return None
        callee = Callee(
            session,
            talk,
            turns,
            lambda: self._record,
            self._speak_first,
            lambda ending: self._hang_up(ending, None),
            self._longest_s,
        )
        asked = self._settings.line.speech.llm.provider not in _NO_MODELS
        model = providers.llm if asked and isinstance(providers, Providers) else None
        return Answering.of(self._ctx.job.metadata, self._assistant, callee, model=model)

    def _open_talk(self) -> None:
        """Speak first, unless the called party is to be heard first."""
        if self._answering is None or self._answering.at_once:
            self._speak_first()

    @property
    def _longest_s(self) -> float:
        longest_s = self._settings.line.agent.max_call_duration
        return min(longest_s, self._assistant.budget.duration_s or longest_s)

    def _build(self) -> Pipeline:
        speech, socket, ears = (
            in_language(self._settings.line.speech, self._assistant.language),
            self._settings.speech_socket,
            ears_of(self._assistant),
        )
        if self._realtime:
            from telephony.speech.realtime import build_realtime

            return build_realtime(speech, engine_socket=socket, ears=ears)
        return build(speech, engine_socket=socket, dialogue=self._flow, ears=ears)

    def _watch_model(self) -> None:
        if self._providers is not None and not isinstance(self._providers, Providers) and self._session:
            model = self._session.current_agent.realtime_llm_session
            self._providers.guard.follow(model)
            if self._flow_log is not None:
                self._flow_log.follow_model(model)

    def _wanted_log(self) -> FlowLog | None:
        numbers, wanted = self._settings.line.logging.pipeline, is_wanted(self._ctx.job.metadata)
        if not numbers and not wanted:
            return None
        return FlowLog(self._settings.data, numbers, wanted=wanted, hide=self._without_secrets)

    def _without_secrets(self, text: str) -> str:
        return text if self._record is None else self._record.hidden(text)

    def _speak_first(self) -> None:
        session, greeting = self._session, self._greeting
        assert session is not None, "the session is built first"
        assert greeting is not None, "and the greeting with it"
        if self._history is None:
            handle = greeting.say(session)
            if self._turns is not None and self._assistant.turns.must_hear.greeting:
                self._turns.promise(handle, "disclosure")
        elif self._flow is not None:
            # Nothing new was said: the flow repeats its last words.
            session.generate_reply()
        else:
            session.generate_reply(instructions=GO_ON)

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, for whatever reason."""
        return self._over.is_set()

    def end(self, ending: Ending) -> None:
        """End the call; only the first ending counts."""
        if self._ending is not None:
            return
        self._ending = ending
        self._over.set()
        if self._conversation is not None:
            self._conversation.close()
        if self._turns is not None:
            self._turns.close()
        if self._dead_air is not None:
            self._dead_air.close()
        if self._session is not None and self._session.user_state != "speaking":
            close_without_waiting(self._session)
        # livekit-agents closes the session, then calls finish, then ends the process.
        self._ctx.shutdown(ending.cause)

    async def fail(self, cause: str) -> None:
        """End a call that could not begin: nobody is left in a room without an agent."""
        log.error("call_failed", reason=cause)
        if self._path is not None:
            self._path.hang_up()
        await self._close_room()
        self.end(Ending("line", cause))

    async def finish(self) -> None:
        """Write the outcome, end the room and let everything go; called once the session has closed."""
        ending = self._ending or self._hanging_up or Ending("line", "the job was stopped")
        self._over.set()
        if self._conversation is not None:
            self._conversation.close()
        outcome = self._outcome()
        await self._end_recording()
        if not self._superseded:
            self._journal.remove()
            if self._record is not None:
                models = self._session.usage.model_usage if self._session is not None else []
                used = usage_of(models, realtime=self._realtime)
                self._record.ended(ending, outcome=outcome, usage=used)
        log.info("call_ended", outcome=outcome, ended_by=ending.by, cause=ending.cause)
        if self._path is not None:
            await self._path.leave()
        await self._close_room()
        await utils.aio.cancel_and_wait(*self._tasks)
        if self._answering is not None:
            await self._answering.aclose()
        if self._desk.http is not None:
            await self._desk.http.aclose()
        if self._dead_air is not None:
            await self._dead_air.aclose()
        if self._flow_log is not None:
            self._flow_log.close()
        if self._greeting is not None:
            await self._greeting.aclose()
        if self._providers is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._providers.aclose()
            except Exception as error:
                log.warning("providers_not_closed", reason=str(error) or type(error).__name__)

    def _outcome(self) -> str | None:
        """What became of the call; None where others know better why nobody answered our own."""
        if self._was_answered:
            return "answered"
        return None if dials_out(self._ctx.job.metadata) else "abandoned"

    # The caller

    async def _await_caller(self) -> None:
        dialled = dials_out(self._ctx.job.metadata)
        limit_s = CALLEE_WAIT_S if dialled else CALLER_WAIT_S
        found = await find_caller(self._ctx.room, limit_s, self._over, telephone=dialled)
        if found is None:
            if not self._over.is_set():
                log.info("caller_never_arrived", waited_s=limit_s)
                never = Ending("line", "the call was never dialled")
                self.end(never if dialled else Ending("caller", "the caller never arrived"))
            return
        self._caller = found
        if self._record is None:
            name = self._path.name if self._path is not None else "room"
            self._begin_record(found.call_id(self._ctx.job.metadata, self._ctx.job.id), name)
        self._desk.caller_number = found.number
        if self._flow_log is not None and self._record is not None:
            self._flow_log.begin(self._record.call_id, found.number)
        if found.is_telephone:
            self._desk.transfer = self._transfer
        if self._history is not None and (leg := await settle_left_over(self._ctx, found.identity)):
            self._hear_operator(leg)
        if found.answered and self._answering is not None:
            self._answering.answered()

    def _begin_record(self, call_id: str, audio_path: str) -> None:
        self._ctx.log_context_fields = {**self._ctx.log_context_fields, "call_id": call_id}
        self._desk.call_id = call_id
        self._record = CallRecord(
            EventSpool(self._settings.events, call_id, "job"),
            Questionnaire(self._assistant),
            self._flow_state,
        )
        if self._turns is not None:
            self._record.interruption = self._turns.interruption
        self._record.started(
            assistant=self._assistant.name,
            config_version=self._assistant.version,
            language=self._assistant.language,
            room=self._ctx.room.name,
            job_id=self._ctx.job.id,
            providers=self._provider_names(),
            audio_path=audio_path,
            resumed=self._history is not None,
            pid=os.getpid(),
        )
        log.info("agent_started", assistant=self._assistant.name)

    def _provider_names(self) -> dict[str, dict[str, str]]:
        speech, built = self._settings.line.speech, self._providers
        assert built is not None, "built before anything is recorded"
        voice = {"provider": speech.tts.provider, "model": built.tts.model}
        if not isinstance(built, Providers):
            hears = {"provider": built.settings.provider, "model": built.settings.model}
            return {"realtime": hears, "tts": voice}
        return {
            "stt": {"provider": speech.stt.provider, "model": built.stt.model},
            "llm": {"provider": speech.llm.provider, "model": built.llm.model},
            "tts": voice,
        }

    def _flow_state(self) -> FlowState | None:
        session = self._session
        if session is None or not isinstance(session.llm, DialogueLlm):
            return None
        return session.llm.state_after(session.history)

    @property
    def _was_answered(self) -> bool:
        if self._path is not None and self._path.answered:
            return True
        return self._caller is not None and self._caller.answered

    def _record_room(self) -> None:
        """Record what goes through the room; the direct line the bridge records."""
        folder, session = self._settings.recordings, self._session
        if folder is None or session is None:
            return
        self._recorder = Recorder()
        # By the job's id: the call's own is known only once the caller is there.
        recording = self._recorder.open(folder, self._ctx.job.id, self._settings.line.recording.format)
        if recording is not None:
            self._recording = RoomRecording(recording)
            self._recording.attach(session)

    async def _end_recording(self) -> None:
        if self._recording is not None:
            file = await self._recording.close()
            if file is not None and self._record is not None:
                self._record.recorded(file)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)

    # Taking over from a job that died, and being ready to be followed

    def _take_over(self, session: AgentSession[None]) -> None:
        predecessor = resumed_job(self._ctx.job)
        if predecessor:
            old = Journal(self._settings.journals, predecessor)
            history = old.read()
            log.info("call_taken_over", from_job=predecessor, items=len(history.items) if history else 0)
            if history is not None and history.items:
                self._history = history
                session.history.items.extend(history.items)
                if isinstance(session.llm, DialogueLlm):
                    session.llm.expect_after(history)
                self._journal.write(history)
            old.remove()
        self._journal.follow(session)

    async def _keep_clips(self, path: RoomPath | DirectPath) -> None:
        """Let the bridge have the clips, once they are there."""
        clips = SpokenClips(self._settings)
        for clip, text in clip_texts(self._assistant).items():
            pcm = clips.load(text)
            if pcm is None and self._providers is not None:
                try:
                    pcm = await clips.make(self._providers.tts, text)
                except Exception as error:
                    log.warning("clip_not_made", clip=clip.name, reason=str(error) or type(error).__name__)
            if pcm:
                path.keep_clip(clip, for_bridge(pcm))

    def _on_hung_up(self, cause: str) -> None:
        told = bridge_hung_up(cause, handed_over=self._handed_over)
        self.end(self._hanging_up if self._hanging_up and told.by == "line" else told)

    def _on_superseded(self) -> None:
        # The bridge cut us off, and has another job or is gone itself: neither room nor record is ours.
        self._superseded = self._room_gone = True
        self.end(Ending("line", "the bridge is gone"))

    def _follow_room(self) -> None:
        room = self._ctx.room
        room.on("participant_disconnected", self._on_left)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("sip_dtmf_received", self._on_key)
        room.on("reconnecting", self._on_room_away)
        room.on("reconnected", self._on_room_back)
        room.on("disconnected", self._on_room_gone)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if self._caller is None or participant.identity != self._caller.identity:
            return
        ending = caller_left(participant.disconnect_reason, handed_over=self._handed_over)
        if ending.by == "line" and self._path is not None and self._path.brings_keys:
            # On the direct line the caller is no further than the bridge, which tells when he is gone.
            log.info("caller_not_in_room", cause=ending.cause)
            return
        if ending.by == "line" and not self._hanging_up and not is_meant(participant.disconnect_reason):
            if not self._caller_missed:
                self._caller_missed = True
                self._spawn(self._await_caller_again(participant.identity, ending))
            return
        # A caller who is put out of the room by our own hanging up has not lost the line.
        self.end(self._hanging_up if self._hanging_up and ending.by == "line" else ending)

    async def _await_caller_again(self, identity: str, otherwise: Ending) -> None:
        """Connections that were lost come back: the caller's, and ours, without which nobody is seen."""
        log.info("caller_missed", cause=otherwise.cause)
        loop = asyncio.get_running_loop()
        until = loop.time() + CALLER_BACK_S
        while self._room_away or identity not in self._ctx.room.remote_participants:
            if self._room_away:
                until = loop.time() + CALLER_BACK_S
            elif loop.time() > until:
                self.end(otherwise)
                return
            await asyncio.sleep(_LOOK_S)
        self._caller_missed = False
        log.info("caller_back")

    def _on_room_away(self) -> None:
        self._room_away = True
        log.warning("livekit_lost")
        if self._path is not None and not self._path.brings_keys:
            self._spawn(self._await_server())

    async def _await_server(self) -> None:
        """Through the room there is no call without the server; of the direct line the bridge knows."""
        until = asyncio.get_running_loop().time() + SERVER_AWAY_S
        while self._room_away:
            if asyncio.get_running_loop().time() > until:
                self._room_gone = True
                self.end(self._hanging_up or SERVER_LOST)
                return
            await asyncio.sleep(_LOOK_S)

    def _on_room_back(self) -> None:
        self._room_away = False
        log.info("livekit_back")

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if self._caller is None or participant.identity != self._caller.identity:
            return
        self._caller.update(changed)
        if self._caller.answered and self._answering is not None:
            self._answering.answered()
        if self._caller.has_hung_up:
            self.end(caller_left(rtc.DisconnectReason.CLIENT_INITIATED, handed_over=self._handed_over))

    def _on_key(self, event: rtc.SipDTMF) -> None:
        if self._caller is None or event.participant is None:
            return
        if self._path is not None and self._path.brings_keys:
            return
        if event.participant.identity == self._caller.identity:
            self._press(event.digit)

    def _press(self, key: str) -> None:
        if self._record is not None:
            self._record.key(key)
        if self._conversation is not None:
            self._conversation.press(key)

    def _on_room_gone(self, reason: object = None) -> None:
        self._room_gone = True
        if self._room_away and self._path is not None and self._path.brings_keys and not is_meant(reason):
            # livekit-agents ends a job that is out of its room; the call has another one in a moment.
            self._path.step_aside()
            self._superseded = True
        away = SERVER_LOST if self._room_away else Ending("line", "the room was closed")
        self.end(self._hanging_up or away)

    # The conversation

    def _follow(self, session: AgentSession[None]) -> Conversation:
        return Conversation(
            session,
            self._assistant,
            self._flow,
            silence_limit_s=self._settings.line.agent.silence_timeout,
            on_message=self._on_message,
            on_goodbye=lambda cause, speech: self._hang_up(Ending("agent", cause), speech),
            turns=self._turns,
            on_demand=self._on_demand,
        )

    def _on_demand(self, demand: Demand) -> None:
        """Where the record's keeper reads it, the number goes on the do-not-call list."""
        number = self._caller.number if self._caller is not None else ""
        if self._record is not None:
            self._record.no_more_calls(demand.phrase, demand.language, number)

    def _tools(self) -> list[llm.Tool | llm.Toolset]:
        return function_tools(
            self._assistant,
            self._desk,
            scripted=self._flow is not None,
            on_tool=self._on_tool,
            on_end=self._on_end_call,
        )

    def _on_message(self, message: llm.ChatMessage) -> None:
        if self._realtime and self._turns is not None and message.role == "user":
            note_times(message, self._turns)
        if self._record is not None:
            self._record.message(message)

    def _on_turn_taking(self, event_type: EventType, data: dict[str, Any]) -> None:
        if self._flow_log is not None:
            self._flow_log.note("event", type=event_type, kind=data.get("kind"), policy=data.get("policy"))
        if self._record is not None:
            self._record.turn_taking(event_type, data)

    def _on_tool(self, name: str, arguments: dict[str, Any], result: dict[str, Any]) -> None:
        log.info("tool_called", tool=name)
        if self._record is not None:
            self._record.tool(name, arguments, result)

    def _on_collected(self, fields: dict[str, Any]) -> None:
        self._fields.update(fields)
        if self._record is not None:
            self._record.collected(fields)

    def _on_recording_refused(self) -> None:
        if self._record is not None:
            self._record.recording_refused()

    def _on_session_close(self, event: CloseEvent) -> None:
        if event.reason == CloseReason.ERROR:
            log.error("session_failed", reason=str(event.error))
            self.end(Ending("line", "the agent's speech failed"))

    async def _transfer(self, target: str) -> None:
        assert self._caller is not None, "only a caller is handed over"
        assert self._providers is not None, "built first"
        assert self._session is not None, "and the session with them"
        if self._transferring:
            raise TransferError("one is under way", outcome="failed", cause="Another transfer was under way.")
        self._transferring = True
        handover = Handover(
            self._ctx,
            self._caller.identity,
            self._assistant.operator,
            self._providers.tts,
            _recogniser_of(self._providers),
            number=self._caller.line_number,
            tell=lambda kind, failure: self._on_transfer(target, kind, failure),
        )
        try:
            if self._path is not None:
                # The end of what announced it is still on its way to the telephone.
                await asyncio.sleep(self._path.drain_s)
            await handover.run(target, briefing_of(self._assistant, self._desk, self._session, self._fields))
        finally:
            self._transferring = False
        if handover.leg is None:
            self._handed_over = True
        else:
            self._hear_operator(handover.leg)

    def _on_transfer(self, target: str, kind: TransferKind, failure: TransferError | None) -> None:
        log.info("transfer_tried", kind=kind, outcome=failure.outcome if failure else "completed")
        if self._record is not None:
            self._record.transferred(target, kind, failure)

    def _hear_operator(self, leg: OperatorLeg) -> None:
        """Caller and operator talk in the room: the agent neither speaks nor listens, and sees to the end."""
        for part in (self._conversation, self._turns, self._dead_air):
            if part is not None:
                part.close()
        if self._session is not None:
            self._session.input.set_audio_enabled(False)
            self._session.output.set_audio_enabled(False)
        leg.on_gone = lambda: self.end(OPERATOR_HUNG_UP)
        if leg.gone.is_set():
            leg.on_gone()

    async def _give_up(self, session: AgentSession[None], cause: str) -> None:
        """No provider helps the caller any more: a person does, or nobody can."""
        dead_air = self._dead_air
        if dead_air is None or self._ending is not None or self._hanging_up is not None:
            return
        log.error("call_given_up", reason=cause)
        if self._conversation is not None:
            self._conversation.close()
        interrupt_all(session)
        operator = self._assistant.operator.transfer_to
        if operator is not None and self._desk.transfer is not None:
            await dead_air.say(self._assistant.rescue.apology).wait_for_playout()
            try:
                await self._transfer(operator)
            except TransferError as error:
                log.warning("rescue_transfer_failed", reason=str(error))
            else:
                return
        self._hang_up(Ending("agent", cause), dead_air.say(self._assistant.rescue.goodbye))

    # Hanging up

    def _on_end_call(self, context: RunContext[None]) -> None:
        try:
            context.disallow_interruptions()
        except RuntimeError:
            # The caller has already spoken into the goodbye, which ends here.
            log.info("goodbye_interrupted")
        self._hang_up(Ending("agent", "the agent said goodbye"), context.speech_handle)

    def _hang_up(self, ending: Ending, speech: SpeechHandle | None) -> None:
        if self._ending is not None or self._hanging_up is not None:
            return
        self._hanging_up = ending
        if self._turns is not None:
            self._turns.closing("goodbye")
        if self._dead_air is not None:
            self._dead_air.close()
        if self._conversation is not None:
            self._conversation.close()
        self._spawn(self._run_hang_up(ending, speech))

    async def _run_hang_up(self, ending: Ending, speech: SpeechHandle | None) -> None:
        session = self._session
        stop = (lambda: finished_goodbye(session)) if session is not None else (lambda: None)
        drain_s = self._path.drain_s if self._path is not None else DRAIN_S
        report = await HangUp(self._end_call, stop, drain_s=drain_s).run(speech)
        self._room_gone = report.ended
        log.info("hung_up", spoken=report.spoken, room_ended=report.ended)
        self.end(ending)

    async def _end_call(self) -> None:
        if self._path is not None:
            self._path.hang_up()
        await self._delete_room()

    async def _close_room(self) -> None:
        if not self._room_gone:
            self._room_gone = await HangUp(self._delete_room).close_room()

    async def _delete_room(self) -> None:
        await delete_room(self._ctx.api, self._ctx.job.room.name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _recogniser_of(providers: Pipeline) -> stt.STT[Any] | None:
    """One that can follow another speaker than the caller; a model that hears for itself has none."""
    if not isinstance(providers, Providers):
        return None
    # A guarded recogniser follows one speaker, who is the caller.
    return providers.stt if providers.guarded_stt is None else providers.guarded_stt.rota.first
