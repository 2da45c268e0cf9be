"""The look through the logs of a test run can fail, and says where."""

from __future__ import annotations

import pytest

from tests.log_scan import findings

pytestmark = pytest.mark.pure

PLUGINS = ("-p", "tests.log_scan", "-p", "no:cacheprovider", "-p", "no:asyncio", "-q")
LEAKS = """
import logging
from pathlib import Path

def test_leak(tmp_path):
    {leak}
"""


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        ('logging.getLogger("x").warning("call from %s", "+15550100123")', "telephone number in: "),
        ('(tmp_path / "worker.log").write_text("key whsec_" + 32 * "a")', "webhook secret in: key whsec_"),
        (
            '(tmp_path / "line.secret").write_text(40 * "s"); (tmp_path / "api.log").write_text(40 * "s")',
            "secret in: ",
        ),
    ],
)
def test_a_run_whose_logs_have_a_secret_fails(pytester: pytest.Pytester, leak: str, said: str) -> None:
    """Its tests pass, and the run does not; the secret itself is not said again."""
    pytester.makepyfile(LEAKS.format(leak=leak))
    result = pytester.runpytest_inprocess(*PLUGINS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    output = result.stdout.str()
    assert said in output
    assert "5550100123" not in output.partition("secrets and full numbers")[2]


def test_a_run_whose_logs_hide_what_must_be_hidden_passes(pytester: pytest.Pytester) -> None:
    """Masked numbers, ids and times are nobody's secret."""
    leak = 'logging.getLogger("x").warning("+15*******23 call_abcDEF123456 2026-11-21T10:00:00.123456Z")'
    pytester.makepyfile(LEAKS.format(leak=leak))
    result = pytester.runpytest_inprocess(*PLUGINS)
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "text",
    [
        "from +4915112345678 at",
        "room call_15550100123_x7",
        "Authorization: Bearer eyJhbGciOiJIUzI1.eyJ2aWRlbyI6e30.c2lnbmF0dXJl",
        "key tlk_" + "a" * 16 + "_" + "b" * 43,
        "password geheim",
    ],
)
def test_what_must_not_be_logged_is_known(text: str) -> None:
    """By its form or by its value."""
    assert list(findings(text))
