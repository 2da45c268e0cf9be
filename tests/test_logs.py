"""Logs hide what must be hidden."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from telephony import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.pure


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Leave the root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("own_logging")
def test_numbers_and_secrets_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """A full number or a secret in a field never reaches the output; event and call id stay readable."""
    logs.configure("info")
    logs.get_logger("test").info(
        "call_answered", call_id="call_123456789012", caller="+74951234567", api_secret="hunter2hunter2"
    )
    printed = capsys.readouterr().err
    line = json.loads(printed)
    assert line["event"] == "call_answered"
    assert line["call_id"] == "call_123456789012"
    assert line["caller"] == "+74*******67"
    assert "hunter2" not in printed


@pytest.mark.usefixtures("own_logging")
def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback travels inside the JSON object instead of breaking the format."""
    logs.configure()
    try:
        raise RuntimeError("broken pipe")
    except RuntimeError:
        logs.get_logger("test").exception("write_failed")
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "error"
    assert "broken pipe" in line["exception"]


@pytest.mark.usefixtures("own_logging")
def test_numbers_are_masked_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """In lists and tables, in what another library says, and in the words of an exception."""
    logs.configure()
    logs.get_logger("test").info("seen", rooms=["call_+74951234567_x"], people={"caller": "+74951234567"})
    logging.getLogger("library").warning("no route to %s", "+74951234567")
    try:
        raise ValueError("+74951234567 is busy")
    except ValueError:
        logs.get_logger("test").exception("call_failed")
    printed = capsys.readouterr().err
    assert "4951234567" not in printed
    assert printed.count("+74*******67") >= 4


@pytest.mark.usefixtures("own_logging")
def test_credentials_are_hidden_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that quotes a token, or an error that quotes a key, puts neither into the log."""
    logs.configure()
    token = "eyJhbGciOiJIUzI1.eyJ2aWRlbyI6e30.c2lnbmF0dXJl"
    logging.getLogger("livekit").warning("401 Unauthorized - invalid token: %s", token)
    logs.get_logger("test").info(
        "asked", header=f"Bearer tlk_{16 * 'a'}_{43 * 'b'}", note="whsec_" + 40 * "c"
    )
    printed = capsys.readouterr().err
    assert "eyJ" not in printed
    assert "tlk_" not in printed
    assert "whsec_" not in printed
    assert printed.count("***") == 3
