"""One call in one place: from the job's first moment to its outcome.

The call begins when the session is in the room and ends exactly once, whoever ends it (``end_of_call``).
Whatever happens in between, the room is ended with the call, and the record says how it went. Here the
parts of a call are put together and follow each other; what each does is its own module's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.agents import NOT_GIVEN
from livekit.agents.voice.events import CloseEvent, CloseReason

from telephony.agent.answering import Answering
from telephony.agent.audio_path import RoomPath, attach
from telephony.agent.callee import Callee
from telephony.agent.clips import SpokenClips, hand_over
from telephony.agent.conversation import Conversation
from telephony.agent.dialled import dials_out, presses_keys
from telephony.agent.end_of_call import EndOfCall
from telephony.agent.ending import Ending
from telephony.agent.giving_up import give_up
from telephony.agent.greeting import PreparedSpeech, go_on, greet
from telephony.agent.handover.transfers import Transfers
from telephony.agent.journal import Journal, take_over
from telephony.agent.phone_agent import phone_agent
from telephony.agent.pipeline import build_pipeline, close_pipeline, flow_of, is_realtime, recogniser_of
from telephony.agent.realtime_call import note_times, session_of
from telephony.agent.record_keeper import RecordKeeper
from telephony.agent.room_recording import RoomRecorder
from telephony.agent.room_watch import RoomWatch
from telephony.agent.talk import Talk
from telephony.agent.tasks import Tasks
from telephony.agent.tools import function_tools
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.usage import usage_of
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.http import HttpReach
from telephony.errors import LinkError
from telephony.logs import get_logger
from telephony.speech.providers import Providers
from telephony.webhooks.guard import AddressGuard, networks

if TYPE_CHECKING:
    from livekit.agents import JobContext, llm

    from telephony.agent.direct_path import DirectPath
    from telephony.agent.pipeline import Pipeline
    from telephony.agent.settings import AgentSettings
    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.turns.no_more_calls.matcher import Demand

log = get_logger(__name__)

_NO_MODELS = ("offline", "timed")
"""Of them nobody can be asked who answered a call."""


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
        self._flow = flow_of(settings, assistant)
        self._clips = SpokenClips(settings)
        self._tasks = Tasks()
        self._end = EndOfCall(ctx, self._tasks)
        self._room = RoomWatch(ctx, self._end, self._tasks, on_key=self._press, on_answered=self._on_answered)
        self._keeper = RecordKeeper(ctx, settings, assistant)
        desk = self._desk = Desk.in_folder(assistant, settings.data)
        desk.collected = self._keeper.collected
        desk.refuse_recording = self._keeper.recording_refused
        desk.http = HttpReach(AddressGuard(networks(settings.line.assistants.allowed_networks)))
        self._recorder = RoomRecorder()
        self._journal = Journal(settings.journals, ctx.job.id)
        self._history: llm.ChatContext | None = None
        """What was said before this job took the call over; None where it began with it."""
        self._pipeline: Pipeline | None = None
        self._greeting: PreparedSpeech | None = None
        self._talk: Talk | None = None
        self._answering: Answering | None = None
        self._path: RoomPath | DirectPath | None = None

    # The beginning

    async def begin(self) -> None:
        """Join the call and greet the caller; returns when the call can go on by events alone.

        Raises:
            TrunklineError: the assistant or a provider is not usable.
        """
        self._room.follow()
        talk = self._prepare()
        path = await self._attach(talk)
        talk.watch(
            self._assistant.rescue,
            self._clips.load,
            give_up=lambda cause: self._tasks.spawn(give_up(cause, talk, self._desk, self._end)),
            tell=self._keeper.turn_taking,
        )
        await self._start(talk, path)
        if self.is_over:
            return
        if not path.greets_early:
            self._record_room(talk)
            self._open_talk()
        if self._answering is None:
            talk.conversation.limit_time(self._longest_s)
        else:
            self._answering.listen(talk.session)
            self._tasks.spawn(self._answering.lead())
        self._tasks.spawn(hand_over(self._clips, self._assistant, talk.pipeline.tts, path.keep_clip))
        await self._await_caller(talk, path)

    def _prepare(self) -> Talk:
        """All that needs neither the room nor the call's audio."""
        pipeline = self._pipeline = build_pipeline(self._settings, self._assistant, self._flow)
        text = self._assistant.greeting
        self._greeting = PreparedSpeech(pipeline.tts, text, self._clips.load(text))
        talk = self._talk = self._end.talk = self._new_talk(pipeline)
        talk.session.on("close", self._on_session_close)
        self._history = take_over(self._settings.journals, self._ctx.job, self._journal, talk.session)
        self._journal.follow(talk.session)
        if self._history is None:
            self._answering = self._dialled(talk)
        return talk

    def _new_talk(self, pipeline: Pipeline) -> Talk:
        turns = TurnTaking(
            self._assistant, recogniser_of(pipeline), state=self._flow_state, tell=self._keeper.turn_taking
        )
        session = session_of(pipeline, self._assistant, turns)
        conversation = Conversation(
            session,
            self._assistant,
            self._flow,
            silence_limit_s=self._settings.line.agent.silence_timeout,
            on_message=self._on_message,
            on_goodbye=lambda cause, speech: self._end.hang_up(Ending("agent", cause), speech),
            turns=turns,
            on_demand=self._on_demand,
        )
        return Talk(pipeline, session, turns, conversation)

    def _dialled(self, talk: Talk) -> Answering | None:
        """What leads a call that is dialled until there is somebody to talk to."""
        if not dials_out(self._ctx.job.metadata):
            return None
        callee = Callee(
            talk.session,
            talk.conversation,
            talk.turns,
            lambda: self._keeper.record,
            self._speak_first,
            lambda ending: self._end.hang_up(ending, None),
            self._longest_s,
        )
        pipeline, asked = talk.pipeline, self._settings.line.speech.llm.provider not in _NO_MODELS
        model = pipeline.llm if asked and isinstance(pipeline, Providers) else None
        return Answering.of(self._ctx.job.metadata, self._assistant, callee, model=model)

    async def _attach(self, talk: Talk) -> RoomPath | DirectPath:
        try:
            path = await attach(talk.session, self._ctx, self._settings)
        except LinkError:
            # The call is over, or another job's; so is its room.
            self._end.room_gone = True
            raise
        if self._answering is not None:
            self._answering.listen(talk.session)
            if not presses_keys(self._ctx.job.metadata):
                path.on_answered = self._answering.answered
        path.on_key = self._press
        self._end.follow(path)
        self._path = self._room.path = path
        if path.call_id:
            self._begin_record(path.call_id, talk, path)
        return path

    async def _start(self, talk: Talk, path: RoomPath | DirectPath) -> None:
        if self._keeper.flow_log is not None:
            self._keeper.flow_log.follow(talk.session)
        agent = phone_agent(
            talk.turns,
            self._enter,
            self._answering,
            self._keeper.flow_log,
            instructions=self._assistant.instructions,
            tools=function_tools(
                self._assistant,
                self._desk,
                scripted=self._flow is not None,
                on_tool=self._keeper.tool,
                on_end=self._end.said_goodbye,
            ),
            chat_ctx=self._history or NOT_GIVEN,
        )
        await talk.session.start(
            agent,
            room=self._ctx.room,
            room_options=path.options,
            record=False,
            # Nobody in the room may drive the session from afar.
            session_host=False,
        )
        path.started()

    async def _enter(self) -> None:
        assert self._talk is not None, "the agent is the session's"
        assert self._path is not None, "attached before the session starts"
        self._talk.enter(self._keeper.flow_log)
        self._path.ready()
        if self._path.greets_early:
            self._open_talk()

    def _open_talk(self) -> None:
        """Speak first, unless the called party is to be heard first."""
        if self._answering is None or self._answering.at_once:
            self._speak_first()

    def _speak_first(self) -> None:
        assert self._talk is not None, "the session is built first"
        assert self._greeting is not None, "and the greeting with it"
        if self._history is None:
            greet(self._talk, self._greeting, must_hear=self._assistant.turns.must_hear.greeting)
        else:
            go_on(self._talk, scripted=self._flow is not None)

    @property
    def _longest_s(self) -> float:
        longest_s = self._settings.line.agent.max_call_duration
        return min(longest_s, self._assistant.budget.duration_s or longest_s)

    def _record_room(self, talk: Talk) -> None:
        """Record what goes through the room; the direct line the bridge records."""
        if self._settings.recordings is not None:
            # By the job's id: the call's own is known only once the caller is there.
            name, kind = self._ctx.job.id, self._settings.line.recording.format
            self._recorder.begin(talk.session, self._settings.recordings, name, kind)

    # The caller

    async def _await_caller(self, talk: Talk, path: RoomPath | DirectPath) -> None:
        caller = await self._room.await_caller()
        if caller is None:
            return
        if self._keeper.record is None:
            self._begin_record(caller.call_id(self._ctx.job.metadata, self._ctx.job.id), talk, path)
        self._desk.caller_number = caller.number
        self._keeper.caller_known(caller.number)
        transfers = Transfers(
            self._ctx, caller, self._desk, talk, self._end, self._keeper, drain_s=path.drain_s
        )
        if caller.is_telephone:
            self._desk.transfer = transfers.run
        if self._history is not None:
            await transfers.settle_left_over()
        if caller.answered:
            self._on_answered()

    def _begin_record(self, call_id: str, talk: Talk, path: RoomPath | DirectPath) -> None:
        self._desk.call_id = call_id
        self._keeper.begin(call_id, talk, audio_path=path.name, resumed=self._history is not None)

    def _on_answered(self) -> None:
        if self._answering is not None:
            self._answering.answered()

    def _press(self, key: str) -> None:
        self._keeper.key(key)
        if self._talk is not None:
            self._talk.conversation.press(key)

    # The talk

    def _flow_state(self) -> FlowState | None:
        return None if self._talk is None else self._talk.flow_state()

    def _on_message(self, message: llm.ChatMessage) -> None:
        if self._talk is not None and is_realtime(self._settings) and message.role == "user":
            note_times(message, self._talk.turns)
        self._keeper.message(message)

    def _on_demand(self, demand: Demand) -> None:
        caller = self._room.caller
        self._keeper.no_more_calls(demand, caller.number if caller is not None else "")

    def _on_session_close(self, event: CloseEvent) -> None:
        if event.reason == CloseReason.ERROR:
            log.error("session_failed", reason=str(event.error))
            self._end.end(Ending("line", "the agent's speech failed"))

    # The end

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, for whatever reason."""
        return self._end.over.is_set()

    async def fail(self, cause: str) -> None:
        """End a call that could not begin: nobody is left in a room without an agent."""
        await self._end.fail(cause)

    async def finish(self) -> None:
        """Write the outcome, end the room and let everything go; called once the session has closed."""
        ending = self._end.ending
        self._end.over.set()
        if self._talk is not None:
            self._talk.conversation.close()
        outcome = self._outcome()
        await self._recorder.close(self._keeper.recorded)
        if not self._end.superseded:
            self._journal.remove()
            self._end_record(ending, outcome)
        log.info("call_ended", outcome=outcome, ended_by=ending.by, cause=ending.cause)
        if self._path is not None:
            await self._path.leave()
        await self._end.close_room()
        await self._tasks.cancel()
        await self._close_parts()

    def _outcome(self) -> str | None:
        """What became of the call; None where others know better why nobody answered our own."""
        caller = self._room.caller
        if (self._path is not None and self._path.answered) or (caller is not None and caller.answered):
            return "answered"
        return None if dials_out(self._ctx.job.metadata) else "abandoned"

    def _end_record(self, ending: Ending, outcome: str | None) -> None:
        if self._keeper.record is None:
            return
        models = self._talk.session.usage.model_usage if self._talk is not None else []
        used = usage_of(models, realtime=is_realtime(self._settings))
        self._keeper.record.ended(ending, outcome=outcome, usage=used)

    async def _close_parts(self) -> None:
        if self._answering is not None:
            await self._answering.aclose()
        if self._desk.http is not None:
            await self._desk.http.aclose()
        if self._talk is not None:
            await self._talk.aclose()
        self._keeper.close()
        if self._greeting is not None:
            await self._greeting.aclose()
        if self._pipeline is not None:
            await close_pipeline(self._pipeline)
