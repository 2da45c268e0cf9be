"""``trunkline simulate``: a provider that costs nothing, to point a line at and to break on purpose."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telephony.errors import ConfigError, TrunklineError
from telephony.speech.simulators import deepgram, openai
from telephony.speech.simulators.cartesia import CartesiaSimulator, tone
from telephony.speech.simulators.deepgram import DeepgramSimulator
from telephony.speech.simulators.espeak import espeak
from telephony.speech.simulators.faults import FAULTS
from telephony.speech.simulators.openai import Answer, OpenAiSimulator
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve
from telephony.speech.simulators.voice import VoiceSimulator

if TYPE_CHECKING:
    from telephony.speech.simulators.cartesia import Speak
    from telephony.speech.simulators.faults import Fault


Lines = Callable[[str], tuple[str, ...]]
"""From the server's root to what to write into the section ``speech``."""

app = typer.Typer(
    help="Speech providers that cost nothing: their wire, their timing, their faults.", no_args_is_help=True
)

PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = any free one.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="The only key that is accepted. Default: any key.")
]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="A model that it has; may be repeated. Default: any.")
]
HearOption = Annotated[
    list[str] | None, typer.Option("--hear", help="What the caller says, in turn; may be repeated.")
]
AnswerOption = Annotated[
    list[str] | None, typer.Option("--answer", help="What it answers, in turn; may be repeated.")
]
DelayOption = Annotated[
    int, typer.Option("--delay-ms", min=0, max=60_000, help="Before its first sound or word.")
]
VoiceOption = Annotated[str, typer.Option("--voice", help="tone, or espeak where espeak-ng is installed.")]
FaultOption = Annotated[
    str | None, typer.Option("--fault", help=f"What it does wrong: {', '.join(FAULTS)}, limited.")
]

_HEARD = ["What are your opening hours?", "Thank you, that is all. Goodbye."]
_ANSWERS = ["We are open from nine to five on all weekdays. Is there anything else?", "Goodbye."]


@app.command(
    "deepgram", epilog='Example: trunkline simulate deepgram --hear "When are you open?" --fault mute'
)
def simulate_deepgram(
    port: PortOption = 0,
    key: KeyOption = None,
    models: ModelsOption = None,
    hear: HearOption = None,
    silence_ms: Annotated[int, typer.Option("--silence-ms", min=50, help="That ends an utterance.")] = 300,
    fault: FaultOption = None,
) -> None:
    """Deepgram: nova over /v1/listen, and Flux over /v2/listen."""
    server = DeepgramSimulator(
        deepgram.scripted(hear or _HEARD), key, silence_s=silence_ms / 1000, models=tuple(models or ())
    )
    _run(
        server,
        port,
        fault,
        lambda url: (
            f'  stt: {{provider: deepgram, base_url: "{url}/v1/listen", api_key: {key or "any"}}}',
            f'  # stt: {{provider: deepgram-flux, base_url: "{url}/v2/listen", api_key: {key or "any"}}}',
        ),
    )


@app.command("cartesia", epilog="Example: trunkline simulate cartesia --voice espeak --delay-ms 300")
def simulate_cartesia(
    port: PortOption = 0,
    key: KeyOption = None,
    models: ModelsOption = None,
    delay_ms: DelayOption = 50,
    voice: VoiceOption = "tone",
    fault: FaultOption = None,
) -> None:
    """Cartesia: a voice over /tts/websocket and /tts/bytes."""
    server = CartesiaSimulator(_voice(voice), key, tuple(models or ()), delay_ms / 1000)
    _run(
        server,
        port,
        fault,
        lambda url: (f'  tts: {{provider: cartesia, base_url: "{url}", api_key: {key or "any"}}}',),
    )


@app.command("openai", epilog='Example: trunkline simulate openai --answer "From nine to five."')
def simulate_openai(
    port: PortOption = 0,
    key: KeyOption = None,
    models: ModelsOption = None,
    hear: HearOption = None,
    answer: AnswerOption = None,
    delay_ms: DelayOption = 50,
    voice: VoiceOption = "tone",
    fault: FaultOption = None,
) -> None:
    """OpenAI over HTTP: chat completions, transcriptions, speech."""
    server = OpenAiSimulator(
        openai.scripted([Answer(text) for text in answer or _ANSWERS]),
        key,
        delay_ms / 1000,
        models=tuple(models or ()),
        hear=deepgram.scripted(hear or _HEARD),
        speak=_voice(voice),
    )
    _run(
        server,
        port,
        fault,
        lambda url: (
            f'  llm: {{provider: openai, base_url: "{url}/v1", api_key: {key or "any"}}}',
            f'  # stt: {{provider: whisper, base_url: "{url}/v1", api_key: {key or "any"}}}',
            f'  # tts: {{provider: openai, base_url: "{url}/v1", api_key: {key or "any"}}}',
            f'  # llm: {{provider: azure, endpoint: "{url}", deployment: mine, api_key: {key or "any"}}}',
        ),
    )


@app.command("realtime", epilog="Example: trunkline simulate realtime --voice espeak")
def simulate_realtime(
    port: PortOption = 0,
    key: KeyOption = None,
    models: ModelsOption = None,
    hear: HearOption = None,
    answer: AnswerOption = None,
    delay_ms: DelayOption = 50,
    voice: VoiceOption = "tone",
    fault: FaultOption = None,
) -> None:
    """OpenAI's and Azure's realtime API: one model that hears and speaks."""
    server = RealtimeSimulator(
        hear=deepgram.scripted(hear or _HEARD),
        think=openai.scripted([Answer(text) for text in answer or _ANSWERS]),
        speak=_voice(voice),
        api_key=key,
        models=tuple(models or ()),
        delay_s=delay_ms / 1000,
    )
    _run(
        server,
        port,
        fault,
        lambda url: (
            "  pipeline: realtime",
            f'  realtime: {{provider: openai, base_url: "{url}/v1", api_key: {key or "any"}}}',
            f'  # realtime: {{provider: azure, endpoint: "{url}", deployment: d, api_key: {key or "any"}}}',
        ),
    )


@app.command("voice", epilog="Example: trunkline simulate voice --voice espeak")
def simulate_voice(
    port: PortOption = 0,
    key: KeyOption = None,
    delay_ms: DelayOption = 50,
    voice: VoiceOption = "tone",
    fault: FaultOption = None,
) -> None:
    """A voice server of one's own, over HTTP and a WebSocket."""
    server = VoiceSimulator(_voice(voice), key, delay_ms / 1000)
    _run(
        server,
        port,
        fault,
        lambda url: (
            f'  tts: {{provider: http, url: "{url.replace("http", "ws", 1)}/speak"}}',
            f'  # tts: {{provider: http, url: "{url}/speak"}}',
        ),
    )


def _voice(name: str) -> Speak:
    if name not in {"tone", "espeak"}:
        raise typer.BadParameter(f"{name!r} is neither tone nor espeak.", param_hint="--voice")
    try:
        return tone if name == "tone" else espeak()
    except TrunklineError as error:
        raise typer.BadParameter(str(error), param_hint="--voice") from error


def _fault(name: str | None) -> Fault | None:
    known: tuple[Fault, ...] = (*FAULTS, "limited")
    for each in known:
        if each == name:
            return each
    if name is None:
        return None
    raise ConfigError(f"there is no fault {name!r}.", field="--fault", fix=f"One of {', '.join(known)}.")


def _run(server: Any, port: int, fault: str | None, lines: Lines) -> None:
    try:
        server.fault = _fault(fault)
        asyncio.run(_serve(server, port, lines))
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        sys.stderr.write(f"--port: port {port} cannot be listened on: {error.strerror or error}.\n")
        raise typer.Exit(1) from None


async def _serve(server: Any, port: int, lines: Lines) -> None:
    """Listen until SIGINT or SIGTERM, having said what to write into the operator's file."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    async with serve(server.app(), port=port) as url:
        sys.stdout.write("\n".join(["# In config/livekit-sip.yaml:", "speech:", *lines(url)]) + "\n")
        sys.stdout.flush()
        await over.wait()
