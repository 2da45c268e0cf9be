"""A bridge with a dispatcher, and jobs that are doubles of the agent's on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from livekit import api, rtc
from typing_extensions import override

from telephony.audio.tones import sine
from telephony.bridge.track_audio import track_audio
from telephony.calls import job_attributes
from telephony.link.job_end import JobEnd
from telephony.link.messages import Clip
from tests.bridge.line import TestLine
from tests.bridge.servers import API_KEY, API_SECRET
from tests.dispatch.machine import Machine, WorkerDouble
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from livekit.protocol import agent as wire

    from telephony.audio.frame import Samples
    from tests.bridge.phone import Phone, PhoneCall
    from tests.bridge.servers import Server

AGENT = "desk"
MOMENT_HZ, GOODBYE_HZ = 500.0, 900.0


class LinkedJob:
    """One job's end of a call's socket, which does what a test tells it."""

    def __init__(self, path: Path, job_id: str) -> None:
        self.end = JobEnd()
        self.heard: list[Samples] = []
        self.keys: list[str] = []
        self.hung_up: list[str] = []
        self.lost = False
        self._path = path
        self._job_id = job_id
        self._task: asyncio.Task[None] | None = None

    async def come(self, *, clips: bool = True) -> None:
        """Connect, and hand the clips over."""
        self.end.on_key = self.keys.append
        self.end.on_hung_up = self.hung_up.append
        self.end.on_lost = self._lost
        await self.end.connect(self._path, self._job_id)
        self.end.input.on_attached()
        self.end.started()
        self._task = asyncio.create_task(self._listen())
        if clips:
            for clip, frequency in ((Clip.MOMENT, MOMENT_HZ), (Clip.GOODBYE, GOODBYE_HZ)):
                self.end.hand_over_clip(clip, sine(frequency, 0.4).tobytes())

    async def say(self, frequency_hz: float, seconds: float) -> None:
        """Speak a tone, all at once, as voices deliver."""
        samples = sine(frequency_hz, seconds)
        await self.end.output.capture_frame(rtc.AudioFrame(samples.tobytes(), 8000, 1, len(samples)))
        self.end.output.flush()

    def die(self) -> None:
        """What a kill -9 does to the socket."""
        assert self.end._channel is not None
        self.end._over = True
        self.end._channel.close()

    async def close(self) -> None:
        """Leave the socket."""
        self.end.leave()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def samples(self, last_s: float) -> Samples:
        """The end of what was heard."""
        frames = self.heard[-int(last_s / 0.02) :]
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)

    def _lost(self) -> None:
        self.lost = True

    async def _listen(self) -> None:
        async for frame in self.end.input:
            self.heard.append(np.frombuffer(frame.data, np.int16).copy())


class JobDouble(LinkedJob):
    """One job that a worker was given: comes by its call's socket, and can join its room."""

    def __init__(self, assignment: wire.JobAssignment, links: Path) -> None:
        self.assignment = assignment
        self.attributes = dict(assignment.job.attributes)
        self.room: rtc.Room | None = None
        super().__init__(links / self.attributes[job_attributes.LINK], assignment.job.id)

    async def join(self) -> rtc.Room:
        """Join the room, as the agent does beside it."""
        self.room = rtc.Room()
        options = rtc.RoomOptions(auto_subscribe=False)
        await self.room.connect(self.assignment.url, self.assignment.token, options)
        return self.room

    @override
    async def close(self) -> None:
        """Leave socket and room."""
        await super().close()
        if self.room is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self.room.disconnect()


class DirectLine(TestLine):
    """A test line whose calls go over the direct line."""

    def __init__(
        self, redis: Server, livekit: Server, folder: Path, *, max_calls: int = 0, **settings: Any
    ) -> None:
        self.links = folder / "links"
        url = f"ws://127.0.0.1:{livekit.port}"
        self.machine = Machine(folder, url, expected=(AGENT,), max_calls=max_calls)
        direct = {
            "audio_path": "auto",
            "dispatch_socket": str(self.machine.path),
            "link_dir": str(self.links),
        }
        super().__init__(redis, livekit, folder, **{**direct, **settings})
        self.jobs: list[LinkedJob] = []

    async def __aenter__(self) -> Self:
        await self.machine.__aenter__()
        try:
            await super().__aenter__()
        except BaseException:
            await self.machine.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for job in self.jobs:
            await job.close()
        await super().__aexit__()
        await self.machine.__aexit__()

    def worker(self, **options: Any) -> WorkerDouble:
        """A worker for this line's agent."""
        return self.machine.worker(agent=AGENT, **options)

    async def provision_agent(self, *names: str, **rule: Any) -> None:
        """A trunk, and a rule that sends for agents."""
        config = api.RoomConfiguration()
        for name in names or (AGENT,):
            config.agents.append(api.RoomAgentDispatch(agent_name=name, metadata='{"assistant": "x"}'))
        await self.provision(rule={"room_config": config, **rule})

    async def job(self, worker: WorkerDouble, number: int = 1, **options: Any) -> JobDouble:
        """Wait for a worker's nth job and let it come."""
        await until(lambda: len(worker.assigned) >= number)
        job = JobDouble(worker.assigned[number - 1], self.links)
        self.jobs.append(job)
        await job.come(**options)
        return job

    async def ready_job(self, worker: WorkerDouble, number: int = 1, **options: Any) -> JobDouble:
        """The same, and let it be ready: the call is answered."""
        job = await self.job(worker, number, **options)
        job.end.ready()
        return job

    @contextlib.asynccontextmanager
    async def up(
        self, phone: Phone, *, voice_hz: float | None = None, clips: bool = True, **options: Any
    ) -> AsyncIterator[tuple[PhoneCall, JobDouble, WorkerDouble]]:
        """A call that the first job of a worker has answered; ``options`` are the worker's."""
        await self.provision_agent()
        async with self.worker(**options) as worker:
            call = await phone.call(self.number, self.port, voice_hz=voice_hz)
            job = await self.ready_job(worker, clips=clips)
            await call.final()
            yield call, job, worker


class HiddenListener:
    """A participant that nobody sees and that hears every track."""

    def __init__(self, url: str, room_name: str) -> None:
        self._url = url
        self._room_name = room_name
        self.room = rtc.Room()
        self.heard: dict[str, list[Samples]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        token = (
            api.AccessToken(API_KEY, API_SECRET)
            .with_identity("hidden")
            .with_grants(
                api.VideoGrants(room_join=True, room=self._room_name, hidden=True, can_publish=False)
            )
        )
        self.room.on("track_subscribed", self._subscribed)
        await self.room.connect(self._url, token.to_jwt())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()

    def samples(self, track: str, last_s: float) -> Samples:
        """The end of what was heard of a track."""
        frames = self.heard.get(track, [])[-int(last_s / 0.02) :]
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.RemoteAudioTrack) -> None:
        stream = track_audio(track)
        async for event in stream:
            self.heard.setdefault(track.name, []).append(np.frombuffer(event.frame.data, np.int16).copy())
