"""Every command as an operator runs it: exit code, published shape, one clear error and never a traceback."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit.protocol.sip import SIPInboundTrunkInfo
from typer.testing import CliRunner, Result

from provisioning.cli import app
from provisioning.objects import Kind
from provisioning.published import FOLDER
from tests.bridge.servers import free_port
from tests.provisioning.files import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

OK, FAILED, USAGE, DRIFT = 0, 1, 2, 3
COMMANDS = [
    "validate",
    "render",
    "plan",
    "apply",
    "drift",
    "import",
    "destroy",
    "explain",
    "doctor",
    "carriers",
]
CALL = ["--from", "+15550100199", "--to", "15550100100"]
HEAD = (
    'livekit: {url: "${LIVEKIT_URL}", api_key: "${LIVEKIT_API_KEY}", api_secret: "${LIVEKIT_API_SECRET}"}\n'
)
SECRET = "doctor-must-never-say-this-secret-0123456789"


@pytest.fixture(autouse=True)
def elsewhere(livekit: LiveKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped file sees the tests' server; no .env.local of this machine is read."""
    monkeypatch.chdir(tmp_path)
    for name, value in livekit.env.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str, file: Path | str = SHIPPED) -> Result:
    """Run a command; whatever happens, it ends in an exit code and not in a traceback."""
    result = CliRunner().invoke(app, [arguments[0], "--config", str(file), *arguments[1:]])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    return result


def answer(name: str, *arguments: str, file: Path | str = SHIPPED, code: int = OK) -> dict[str, Any]:
    """A command's JSON, which has the published shape."""
    result = run(*arguments, "--output", "json", file=file)
    assert result.exit_code == code, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    shape = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator(shape).validate(value)
    return value


def test_every_command_says_how_it_is_used() -> None:
    """--help has an example, --config and --output."""
    for name in [*COMMANDS, "carriers"]:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == OK
        for words in (f"Example: provision {name}", "--config", "--output"):
            assert words in re.sub(r"\s+", " ", result.output), (name, words)


def test_the_shipped_file_goes_through_every_command(tmp_path: Path) -> None:
    """Plan, apply, apply again, drift, explain, import, destroy: codes and shapes are as published."""
    assert answer("validate", "validate")["warnings"] == []
    assert len(answer("render", "render")["files"]) == 6
    assert len(answer("plan", "plan")["changes"]) == 2
    assert answer("apply", "apply")["writes"] == 2
    assert answer("apply", "apply")["writes"] == 0
    answer("drift", "drift")
    assert answer("explain", "explain", *CALL)["verdict"] == "accepted"
    assert answer("explain", "explain", "--from", "1", "--to", "2", code=FAILED)["verdict"] == "dropped"
    answer("import", "import", "--to", str(tmp_path / "imported.yaml"))
    assert answer("plan", "plan", file=tmp_path / "imported.yaml")["changes"] == []
    answer("carriers", "carriers", "novofon-trunk")
    assert "Redis's password" not in run("render").output
    answer("doctor", "doctor", "--only", "server")
    answer("apply", "destroy", "--yes")


async def test_what_is_changed_by_hand_is_drift(livekit: LiveKit) -> None:
    """Exit code 3, the field named."""
    await asyncio.to_thread(run, "apply")
    async with livekit.service() as service:
        (trunk,) = [live for live in await service.list_all() if live.kind is Kind.INBOUND]
        assert isinstance(trunk.message, SIPInboundTrunkInfo)
        trunk.message.allowed_addresses.append("10.0.0.0/8")
        await service.replace(trunk.kind, trunk.id, trunk.message)
    found = await asyncio.to_thread(answer, "drift", "drift", code=DRIFT)
    assert [one["field"] for one in found["fields"]] == ["allowed_addresses"]


@pytest.mark.parametrize("name", ["validate", "plan", "apply", "drift", "destroy", "doctor", "render"])
def test_a_wrong_file_fails_with_places(name: str, tmp_path: Path) -> None:
    """One error, all problems, each with line and column; exit code 1."""
    file = tmp_path / "line.yaml"
    file.write_text("loging: {}\nbridge: {sip_port: x}\n")
    problems = answer("failure", name, file=file, code=FAILED)["error"]["problems"]
    assert [(one["line"], one["column"]) for one in problems] == [(1, 1), (2, 10)]


@pytest.mark.parametrize(
    "arguments", [["plan"], ["apply"], ["drift"], ["destroy", "--yes"], ["explain", *CALL]]
)
def test_a_server_that_is_not_there(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, the address named, and told that trying again may help."""
    monkeypatch.setenv("LIVEKIT_URL", f"ws://127.0.0.1:{free_port()}")
    error = answer("failure", arguments[0], *arguments[1:], code=FAILED)["error"]
    assert "127.0.0.1" in error["message"]
    assert error["fix"]


@pytest.mark.parametrize(
    "arguments", [["plan"], ["apply"], ["drift"], ["destroy", "--yes"], ["explain", *CALL]]
)
def test_a_wrong_key(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1; the secret is not said."""
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    result = run(*arguments)
    assert result.exit_code == FAILED
    assert "api_secret" in result.output
    assert SECRET not in result.output


def test_no_key_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables to set are named."""
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    result = run("plan")
    assert result.exit_code == FAILED
    assert "LIVEKIT_API_SECRET" in result.output


@pytest.mark.parametrize(
    "arguments", [["plan", "--bogus"], ["nothing"], ["apply", "--wait", "soon"], ["import"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    """Exit code 2."""
    assert CliRunner().invoke(app, arguments).exit_code == USAGE


@pytest.mark.parametrize("addresses", ['allowed_addresses: ["0.0.0.0/0"]', 'numbers: ["+15550001"]'])
def test_an_open_trunk_is_noted_by_validate_and_refused_by_apply(addresses: str, tmp_path: Path) -> None:
    """Exit code 1 and no write, until the file says that it is meant."""
    file = tmp_path / "line.yaml"
    entry = f"{{name: wide, inbound_only: true, {addresses}"
    rules = "\nrouting: {inbound_rules: [{name: r}]}\n"
    file.write_text(f"{HEAD}sip_trunks: [{entry}}}]{rules}")
    checked = answer("validate", "validate", file=file)
    assert sum("anybody in the world" in note["message"] for note in checked["warnings"]) == 1
    assert len(checked["apply_refuses"]) == 1
    error = answer("failure", "apply", "--yes", file=file, code=FAILED)["error"]
    assert "open_to_the_world" in error["problems"][0]["fix"]
    assert answer("plan", "plan", code=OK)["changes"], "nothing was written"
    file.write_text(f"{HEAD}sip_trunks: [{entry}, open_to_the_world: true}}]{rules}")
    assert answer("apply", "apply", file=file)["writes"] == 2


def test_secrets_come_from_env_local_and_are_never_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env.local beside the working directory is read; no command prints what is in it."""
    for name in ("LIVEKIT_API_SECRET", "REDIS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env.local").write_text(f"LIVEKIT_API_SECRET={SECRET}\nREDIS_PASSWORD={SECRET}\n")
    for arguments in (["validate"], ["render"], ["plan"], ["doctor", "--only", "server"], ["explain", *CALL]):
        for output in ("text", "json"):
            assert SECRET not in run(*arguments, "--output", output).output
    assert "refused: HTTP status 401" in run("plan").output


def test_render_says_that_a_password_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiveKit has no variable for Redis's, so that what is rendered without it would not connect."""
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    result = run("render")
    assert result.exit_code == OK
    assert "Redis's password is in none of them" in result.output
    assert SECRET not in result.output


def test_a_server_that_restarts_in_the_middle(livekit: LiveKit, tmp_path: Path) -> None:
    """Apply goes on or ends in one clear error; the next one makes the rest and nothing twice."""
    file = tmp_path / "line.yaml"
    trunks = "".join(
        f'  - {{name: t{n}, numbers: ["+1555{n:07d}"], allowed_addresses: ["10.0.0.0/8"]}}\n'
        for n in range(150)
    )
    file.write_text(f"{HEAD}sip_trunks:\n{trunks}routing: {{inbound_rules: [{{name: all}}]}}\n")

    def restart() -> None:
        livekit.server.stop()
        livekit.server.start()

    timer = threading.Timer(0.15, restart)
    timer.start()
    first = run("apply", "--output", "json", file=file)
    timer.join()
    assert first.exit_code in {OK, FAILED}
    if first.exit_code == FAILED:
        assert json.loads(first.stdout)["error"]["message"]
    assert run("apply", file=file).exit_code == OK
    assert answer("plan", "plan", file=file)["changes"] == []
    assert answer("apply", "apply", file=file)["writes"] == 0


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.sampled_from(
    ["\x1b[31mred", "\u202eevil", "a\r\nX-Evil: 1", "${HOME}", "[red]x[/red]", "../../etc", "'; --", "\x00"]
)


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(label=HOSTILE, number=HOSTILE, header=HOSTILE, value=HOSTILE)
def test_hostile_strings_are_refused_with_a_place_or_written_and_read_back(
    label: str, number: str, header: str, value: str, livekit: LiveKit, tmp_path: Path
) -> None:
    """A problem with its line, or an apply that plans to nothing; nothing escapes onto the screen."""
    livekit.forget_everything()
    tree = {
        "livekit": {
            "url": "${LIVEKIT_URL}",
            "api_key": livekit.api_key,
            "api_secret": "${LIVEKIT_API_SECRET}",
        },
        "sip_trunks": [
            {
                "name": "t",
                "label": label,
                "inbound_only": True,
                "numbers": [number],
                "allowed_addresses": ["10.0.0.0/8"],
                "headers": {header: value},
            }
        ],
        "routing": {"inbound_rules": [{"name": "r", "label": label}]},
    }
    file = tmp_path / "hostile.yaml"
    file.write_text(json.dumps(tree))
    result = run("apply", "--yes", "--output", "json", file=file)
    if result.exit_code == OK:
        assert answer("plan", "plan", file=file)["changes"] == []
    else:
        assert all(one["line"] for one in json.loads(result.stdout)["error"]["problems"])
    for arguments in (["validate"], ["plan"], ["explain", "--from", "1", "--to", "2", "--file"]):
        output = run(*arguments, file=file).output
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", output), repr(output)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_is_a_file_or_a_problem_with_a_place(text: str, tmp_path: Path) -> None:
    """Whatever stands in the file, validate ends with 0 or 1 and says where."""
    file = tmp_path / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    result = run("validate", "--output", "json", file=file)
    if result.exit_code != OK:
        assert result.exit_code == FAILED
        problems = json.loads(result.stdout)["error"]["problems"]
        assert problems
        assert all(one["line"] for one in problems)
