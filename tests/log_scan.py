"""A pytest plugin: no secret and no full telephone number stands in any log of the run.

Looks through what tests logged (captured standard error and log records) and through the log files that
processes under test wrote below pytest's folder, and fails the run where it finds one. Known by their
form: numbers that tests call with, webhook secrets, API keys, tokens; and by their value: whatever
stands in a ``*.secret`` or ``*.key`` file beside the logs, and ``SECRETS``.

livekit-server and Redis write logs of their own, whose content is not ours to choose; theirs are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = frozenset({"hunter2hunter2", "very-secret", "geheim", "Circle Of Life"})
"""Passwords that tests use."""

_FORMS = {
    "telephone number": re.compile(r"(?<![\w.])\+\d{9,15}(?!\d)|(?<!\d)\+?1555\d{4,11}(?!\d)"),
    "webhook secret": re.compile(r"whsec_[A-Za-z0-9+/]{20,}"),
    "API key": re.compile(r"tlk_[a-z2-7]{16}_[\w-]{43}"),
    "token": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
}
_OWN_TESTS = "test_a_run_whose_logs_"
"""How the tests of this plugin begin, which leak on purpose."""

_OTHERS = frozenset({"livekit-server.log", "livekit.log", "redis.log", "postgres.log", "server.log"})
_SDK_LINE = re.compile(r"^[A-Z]+ +livekit:.*$", re.MULTILINE)
_LONGEST = 50_000_000
_SHORTEST_SECRET = 12
_SHOWN = 20


def findings(text: str, values: frozenset[str] = SECRETS) -> Iterator[str]:
    """What of a text must not be in a log: the kind, and the line with its middle hidden."""
    for kind, form in _FORMS.items():
        for match in form.finditer(text):
            yield f"{kind} in: {_line(text, match.start(), match.end())}"
    for value in values:
        at = text.find(value)
        if at >= 0:
            yield f"secret in: {_line(text, at, at + len(value))}"


def _line(text: str, start: int, end: int) -> str:
    before = text[max(text.rfind("\n", 0, start) + 1, start - 160) : start]
    found = text[start:end]
    return f"{before}{found[:6]}…"


class LogScan:
    """What one run has found."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def note(self, where: str, text: str, values: frozenset[str] = SECRETS) -> None:
        """Look through one log."""
        for finding in findings(text, values):
            self.found.setdefault(f"{where}: {finding}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test logged."""
        for name, text in report.sections:
            if ("stderr" in name or "log" in name) and not report.nodeid.startswith("tests/test_log_scan.py"):
                # What LiveKit's SDK says is captured before our formatter has seen it.
                self.note(report.nodeid, _SDK_LINE.sub("", text) if "log" in name else text)

    def files(self, folder: Path) -> None:
        """What the processes of the run logged."""
        values = set(SECRETS)
        for pattern in ("*.secret", "*.key"):
            for path in folder.rglob(pattern):
                text = path.read_text(errors="replace").strip() if path.is_file() else ""
                if _SHORTEST_SECRET <= len(text) < 200 and not path.name.startswith("livekit.key"):
                    values.add(text)
        for path in folder.rglob("*.log"):
            of_ours = any(part.startswith(f"tmp-{_OWN_TESTS}") for part in path.relative_to(folder).parts)
            if of_ours or path.name in _OTHERS:
                continue
            if path.is_file() and path.stat().st_size < _LONGEST:
                self.note(str(path.relative_to(folder)), path.read_text(errors="replace"), frozenset(values))


_SCAN = pytest.StashKey[LogScan]()


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run; what workers of xdist log is seen by the one that started them."""
    if not hasattr(config, "workerinput"):
        scan = config.stash[_SCAN] = LogScan()
        config.pluginmanager.register(scan, "log_scan_reports")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where something was found."""
    scan = session.config.stash.get(_SCAN, None)
    factory = getattr(session.config, "_tmp_path_factory", None)
    if scan is None or factory is None:
        return
    scan.files(factory.getbasetemp())
    if scan.found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was found, and where."""
    scan = config.stash.get(_SCAN, None)
    if scan is None or not scan.found:
        return
    terminalreporter.section("secrets and full numbers in logs", red=True)
    for finding in list(scan.found)[:_SHOWN]:
        terminalreporter.line(finding)
    if len(scan.found) > _SHOWN:
        terminalreporter.line(f"and {len(scan.found) - _SHOWN} more")
