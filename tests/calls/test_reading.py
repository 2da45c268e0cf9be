from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.calls.reading import LARGEST_DATA, read_data
from telephony.calls.shapes import DATA, OF_THE_RECORD, EndReport

pytestmark = pytest.mark.pure

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)
_NAMES = sorted({name for model in DATA.values() for name in model.model_fields})


@pytest.mark.exhaustive
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(set(DATA) - OF_THE_RECORD)),
    st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=8), _JSON, max_size=8),
)
def test_whatever_a_source_sends_comes_out_in_the_published_shape(
    event_type: str, raw: dict[str, object]
) -> None:
    """Any JSON at all is read without an error into data that its type's model accepts."""
    read = read_data(event_type, raw)
    model = EndReport if event_type == "call.ended" else DATA[event_type]
    model.model_validate(read)
    text = json.dumps(read, ensure_ascii=False, allow_nan=False)
    assert b"\x00" not in text.encode()
    assert read == json.loads(text)


def test_a_field_of_the_wrong_form_is_kept_aside() -> None:
    """A wrong value does not fail the event, it is moved to where it can be seen."""
    read = read_data("turn.completed", {"who": "caller", "text": "hi", "latency_ms": "soon"})
    assert read["text"] == "hi"
    assert read["unreadable"] == {"latency_ms": "soon"}


def test_the_bridges_own_names_are_understood() -> None:
    """Status, duration and counters by the bridge's short names become the published ones."""
    read = read_data(
        "call.ended",
        {"status": 200, "duration": 3.5, "packets": 100, "lost": 1, "jitter_ms": 2, "ended_by": "caller"},
    )
    assert read == {
        "sip_status": 200,
        "duration_s": 3.5,
        "ended_by": "caller",
        "quality": {"packets_received": 100, "packets_lost": 1, "jitter_ms": 2.0},
    }


@pytest.mark.parametrize("raw", [{"digit": "7", "secret": True}, {"digit": "7", "secret": 1, "digits": "77"}])
def test_the_digit_of_a_secret_entry_is_never_kept(raw: dict[str, object]) -> None:
    """Nothing of a secret DTMF entry is left but that a key was pressed."""
    assert read_data("dtmf.received", raw) == {"digit": "•", "secret": True}


def test_a_huge_event_is_cut_to_what_a_webhook_may_carry() -> None:
    """Texts are cut and the fields that had to be shortened are named."""
    read = read_data("tool.called", {"name": "search", "result": {f"row {n}": "x" * 900 for n in range(50)}})
    assert read["name"] == "search"
    assert read["truncated"] == ["result"]
    assert len(json.dumps(read).encode()) <= LARGEST_DATA


def test_many_large_fields_are_cut_too() -> None:
    """A flood of unknown fields cannot make an event larger than its bound."""
    read = read_data("turn.completed", {"who": "agent", **{f"extra {n}": "y" * 7000 for n in range(100)}})
    assert read["who"] == "agent"
    assert len(json.dumps(read, ensure_ascii=False).encode()) <= LARGEST_DATA


def test_the_jobs_own_names_are_understood() -> None:
    """The parts of a latency, the providers and the outcome of a transfer become the published ones."""
    turn = read_data(
        "turn.completed", {"who": "agent", "parts_ms": {"end_of_turn": 3, "llm_first_token": 40}}
    )
    assert turn["latency"] == {"end_of_turn_ms": 3.0, "llm_ms": 40.0}
    assert read_data("agent.started", {"stt": "offline", "llm": "x"})["providers"] == {
        "stt": "offline",
        "llm": "x",
    }
    assert read_data("call.transferred", {"to": "+1", "outcome": "failed"})["ok"] is False
