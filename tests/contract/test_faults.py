"""The table of livekit-sip's known faults, and what ``--livekit-sip`` makes of the suite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from provisioning.render.livekit_sip_keys import check_livekit_sip
from tests.contract.faults import FAULTS
from tests.contract.process import BridgeProcess

pytestmark = pytest.mark.pure

MANUAL = Path(__file__).parents[2] / "docs" / "bridge.md"

PLUGINS = ("-p", "no:asyncio", "-p", "tests.contract.options")

SAMPLE = """
import pytest

@pytest.mark.livekit_sip_fault("keys-add-delay")
def test_fault():
    assert False

@pytest.mark.ours_only
def test_ours():
    assert False

@pytest.mark.whole_contract
def test_slow():
    pass

def test_rest():
    pass
"""


def test_the_manual_lists_the_same_faults() -> None:
    """Name, effect and source of each, and no other."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \| (.+?) \|$", MANUAL.read_text(), re.MULTILINE)
    assert rows == [(name, fault.effect, fault.source) for name, fault in FAULTS.items()]


def test_each_fault_is_what_some_test_looks_for() -> None:
    """A fault that nothing looks for would come into the bridge unseen."""
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in FAULTS if f'"{name}"' not in tests.replace(SAMPLE, "")] == []


def test_a_livekit_sip_is_given_keys_that_it_knows(tmp_path: Path) -> None:
    """It ignores every other one without a word."""
    BridgeProcess(tmp_path, "ws://127.0.0.1:1", 1, "/bin/true", audio_path="auto")
    content = yaml.safe_load((tmp_path / "bridge.yaml").read_text())
    assert check_livekit_sip(content) == []
    assert content["media_timeout"]


def test_against_a_livekit_sip_its_faults_may_show(pytester: pytest.Pytester) -> None:
    """Expected to fail, with the fault's effect; what only the bridge has is left out; all else must hold."""
    pytester.makepyfile(SAMPLE)
    result = pytester.runpytest(*PLUGINS, "-rx", "--livekit-sip", "/bin/true")
    result.assert_outcomes(xfailed=1, skipped=1, passed=2)
    result.stdout.fnmatch_lines(["*464 to 867 ms*"])


def test_the_bridge_must_have_none_of_the_faults(pytester: pytest.Pytester) -> None:
    """Without the option every test counts, but those that take half a minute."""
    pytester.makepyfile(SAMPLE)
    result = pytester.runpytest(*PLUGINS)
    result.assert_outcomes(failed=2, skipped=1, passed=1)


def test_what_is_no_executable_is_said_at_once(pytester: pytest.Pytester) -> None:
    """Before anything is collected."""
    result = pytester.runpytest(*PLUGINS, "--livekit-sip", "/nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no executable is there*"])
