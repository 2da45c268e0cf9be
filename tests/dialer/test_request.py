from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dialer.request import AnswerPolicy, DialRequest
from telephony.dialer.requests import fingerprint

pytestmark = pytest.mark.pure

NAMES = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)


@given(
    request=st.builds(
        DialRequest,
        to=st.text(max_size=20),
        from_=st.none() | st.text(max_size=20),
        from_pool=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        data=NAMES,
        metadata=NAMES,
        deadline=st.none() | st.datetimes(timezones=st.just(UTC)),
        ringing_timeout_s=st.none() | st.floats(1, 80),
        answer_policy=st.builds(AnswerPolicy, message=st.none() | st.text(max_size=9)),
    )
)
def test_a_request_survives_its_json(request: DialRequest) -> None:
    """What is kept in the database is read back as it was, and is the same request."""
    read = DialRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert read == request
    assert fingerprint(read) == fingerprint(request)


def test_requests_that_mean_the_same_are_the_same() -> None:
    """The order of names and the zone in which a deadline is written make no other request."""
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    one = DialRequest("+15550100123", data={"a": 1, "b": 2}, deadline=at)
    two = DialRequest(
        "+15550100123", data={"b": 2, "a": 1}, deadline=at.astimezone(timezone(timedelta(hours=3)))
    )
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(DialRequest("+15550100123", data={"a": 1, "b": 3}, deadline=at))


@pytest.mark.parametrize("raw", [{"to": "+1", "unknown": 1}, {}, {"to": "+1", "answer_policy": {"x": 1}}])
def test_what_is_no_request_is_refused(raw: dict[str, object]) -> None:
    """A missing or unknown name is an error, not a call."""
    with pytest.raises(ValueError, match="not a request"):
        DialRequest.from_json(raw)
