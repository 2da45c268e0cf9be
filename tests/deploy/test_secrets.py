"""scripts/secrets and what the containers make of its files."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.bridge.servers import livekit_binary
from tests.deploy.files import ROOT, document
from tests.deploy.known_keys import LIVEKIT_SERVER, LIVEKIT_SIP, top_level_keys, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.component

FILES = {
    "livekit-server.yaml",
    "livekit-sip.yaml",
    "egress.env",
    "redis.conf",
    "trunkline.env",
    "postgres.password",
    "grafana.password",
}


def _secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "scripts/secrets", folder], capture_output=True, text=True, timeout=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of freshly made secrets."""
    done = _secrets(tmp_path / "secrets")
    assert done.returncode == 0, done.stderr
    return tmp_path / "secrets"


def _enter(file: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "TRUNKLINE_SECRETS_FILE": str(file)}
    return subprocess.run(
        ["sh", ROOT / "deploy/entrypoint.sh", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_only_the_owner_can_read_a_secret(folder: Path) -> None:
    """Every file is made with mode 0600, and nothing else is left in the folder."""
    assert {file.name for file in folder.iterdir()} == FILES
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    """The script says which files it made and not what is in them."""
    done = _secrets(tmp_path / "secrets")
    password = (tmp_path / "secrets" / "grafana.password").read_text().strip()
    assert len(password) == 64
    assert not re.search(r"[0-9a-f]{32}", done.stdout + done.stderr)


def test_a_second_run_changes_nothing(folder: Path) -> None:
    """Files that exist are never written again."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = _secrets(folder)
    assert done.returncode == 0
    assert "nothing was changed" in done.stdout
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_two_lines_share_no_secret(folder: Path, tmp_path: Path) -> None:
    """Each run makes its own secrets."""
    _secrets(tmp_path / "other")
    assert (folder / "redis.conf").read_text() != (tmp_path / "other" / "redis.conf").read_text()


def test_half_a_set_is_refused(folder: Path) -> None:
    """A missing file whose secret also stands in others is named, and nothing is written."""
    (folder / "redis.conf").unlink()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = _secrets(folder)
    assert done.returncode == 1
    assert "redis.conf" in done.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_secret_that_stands_alone_is_made_again(folder: Path) -> None:
    """Grafana's password is shared with nobody, so a lost one is replaced and the others stay."""
    (folder / "grafana.password").unlink()
    before = (folder / "redis.conf").read_bytes()
    assert _secrets(folder).returncode == 0
    assert (folder / "grafana.password").exists()
    assert (folder / "redis.conf").read_bytes() == before


@pytest.mark.parametrize("image", ["livekit-server", "livekit-sip"])
def test_the_two_halves_of_a_configuration_make_a_whole(folder: Path, image: str) -> None:
    """The readable and the secret half have no key in common, and the image knows all keys of both."""
    text = (ROOT / f"deploy/{image}.yaml").read_text() + (folder / f"{image}.yaml").read_text()
    keys = top_level_keys(text)
    assert len(keys) == len(set(keys))
    known = LIVEKIT_SIP if image == "livekit-sip" else LIVEKIT_SERVER
    assert unknown_keys(yaml.safe_load(text), known) == []


def test_livekit_server_itself_reads_the_whole(folder: Path) -> None:
    """The pinned livekit-server, which refuses unknown keys, takes both halves and names their ports."""
    binary = livekit_binary()
    assert binary is not None, "livekit-server is missing: run scripts/setup test"
    text = (ROOT / "deploy/livekit-server.yaml").read_text() + (folder / "livekit-server.yaml").read_text()
    done = subprocess.run(
        [binary, "ports"], env={"LIVEKIT_CONFIG": text}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "could not parse" not in done.stdout + done.stderr
    assert {port for port in ("7880", "7881", "7882") if port in done.stdout} == {"7880", "7881", "7882"}


def test_all_parts_are_given_the_same_secrets(folder: Path) -> None:
    """livekit-server, livekit-sip, egress, Redis, the api and the worker agree on key and password."""
    server = yaml.safe_load((folder / "livekit-server.yaml").read_text())
    sip = yaml.safe_load((folder / "livekit-sip.yaml").read_text())
    name, _, value = (folder / "egress.env").read_text().strip().partition("=")
    egress = json.loads(value.strip("'"))
    printed = _enter(folder / "trunkline.env", "sh", "-c", 'echo "$LIVEKIT_API_KEY $LIVEKIT_API_SECRET"')
    key, secret = printed.stdout.split()
    assert name == "EGRESS_CONFIG_BODY"
    assert server["keys"] == {key: secret}
    assert (sip["api_key"], sip["api_secret"]) == (egress["api_key"], egress["api_secret"]) == (key, secret)
    password = (folder / "redis.conf").read_text().split()[1]
    assert {each["redis"]["password"] for each in (server, sip, egress)} == {password}
    assert document("deploy/livekit-server.yaml")["webhook"]["api_key"] == key


def test_the_entry_evaluates_nothing(tmp_path: Path) -> None:
    """A value with quotes, dollars and commands reaches the program as it is written."""
    file = tmp_path / "secrets"
    file.write_text("# a note\n\nODD=a b'\"$(touch gone)`id`$HOME=1\nLAST=without newline")
    done = _enter(file, "sh", "-c", 'printf "%s|%s" "$ODD" "$LAST"')
    assert done.stdout == "a b'\"$(touch gone)`id`$HOME=1|without newline"


@pytest.mark.parametrize("content", [None, "this is no variable\n"])
def test_the_entry_fails_in_one_sentence(tmp_path: Path, content: str | None) -> None:
    """Without a readable file of variables the program is not started."""
    if content is not None:
        (tmp_path / "secrets").write_text(content)
    done = _enter(tmp_path / "secrets", "echo", "started")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer the status that the path names."""
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Say nothing."""


@pytest.fixture
def server_port() -> Iterator[int]:
    """The port of a server that answers /<status> with that status."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(timeout=10)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (204, 0), (404, 1), (503, 1)])
def test_the_health_check_tells_ready_from_not(server_port: int, status: int, code: int) -> None:
    """The images' health check passes on 2xx alone."""
    url = f"http://127.0.0.1:{server_port}/{status}"
    done = subprocess.run([sys.executable, ROOT / "deploy/health.py", url], capture_output=True, timeout=30)
    assert done.returncode == code


def test_the_health_check_fails_where_nobody_listens() -> None:
    """A closed port is unhealthy, in one line and without a traceback."""
    url = "http://127.0.0.1:1/"
    done = subprocess.run([sys.executable, ROOT / "deploy/health.py", url], capture_output=True, timeout=30)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
