"""The worker: the process that stays, registers with livekit-server and gives each call a process.

``server`` is what livekit-agents' own tools look for in this module. Jobs are dispatched to it by its
name only. Whether it takes a call is decided by ``admission``, a count; the limit on processor load
that livekit-agents applies by default refuses calls on an idle line just after its start.
"""

from __future__ import annotations

import math
import os

from livekit.agents import AgentServer, JobExecutorType, JobRequest

from telephony.agent.admission import Admission, is_repeated
from telephony.agent.calls_waiting import VARIABLE, CallsWaiting
from telephony.agent.job import entrypoint, on_session_end, prewarm
from telephony.agent.settings import SERVER_URL, AgentSettings
from telephony.logs import get_logger
from telephony.speech.providers import preload_modules

log = get_logger(__name__)

# The weights of the end-of-turn model are not loaded; telephony.agent.preload loads the others.
os.environ.setdefault("LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE", "0")

JOB_BEGIN_S = 60.0
"""How long the first processes may take, with all imports, on a machine that starts everything at once."""
JOB_END_S = 5.0
"""How long a finished job may take to write its outcome, and again to exit, before it is killed."""
LOOP_BLOCK_WARN_MS = 250
"""An event loop that stands still for longer is warned about. Shorter would be looked for more often: at
livekit-agents' 100 ms every process, idle ones too, wakes up a hundred times a second for it."""
LOOPBACK = "127.0.0.1"

os.environ.setdefault("LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS", str(LOOP_BLOCK_WARN_MS))


def build_server(settings: AgentSettings, waiting: CallsWaiting) -> AgentServer:
    """Build the server of one worker; it does not run yet."""
    server = AgentServer(
        ws_url=settings.dispatch_url or settings.url,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        job_executor_type=JobExecutorType.PROCESS,
        num_idle_processes=min(settings.line.agent.idle_processes, settings.max_calls),
        # Infinite, so that no request is refused for the slots that others are about to take.
        load_threshold=math.inf,
        drain_timeout=int(settings.line.agent.drain_timeout),
        initialize_process_timeout=JOB_BEGIN_S,
        shutdown_process_timeout=JOB_END_S,
        session_end_timeout=JOB_END_S,
        # Each job tells its own (telephony.agent.memory).
        job_memory_warn_mb=0,
        setup_fnc=prewarm,
        preload_modules=["telephony.agent.preload", *preload_modules(settings.line.speech)],
        host=LOOPBACK,
        port=settings.health_port,
        # A proxy is for providers far away, not for livekit-server.
        http_proxy=None,
    )
    admission = Admission(settings.max_calls, lambda: len(server.active_jobs), waiting.tell)

    def load() -> float:
        return admission.load

    async def on_request(request: JobRequest) -> None:
        if is_repeated(request.job, (running.job for running in server.active_jobs)):
            log.info("job_repeated", job_id=request.id)
            await request.reject(terminate=True)
            return
        await admission.answer(request)

    server.load_fnc = load
    server.rtc_session(
        entrypoint,
        agent_name=settings.line.agent.name,
        on_request=on_request,
        on_session_end=on_session_end,
    )
    return server


settings = AgentSettings.from_environment()
# Before any job's process is forked: there livekit-agents has put the dispatcher into LIVEKIT_URL.
os.environ[SERVER_URL] = settings.url
_waiting = CallsWaiting()
os.environ[VARIABLE] = _waiting.place
server = build_server(settings, _waiting)
