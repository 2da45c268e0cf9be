"""What an HTTP tool sends, and what it takes from an answer: arguments and answers are data, never more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from telephony.assistants.http_tool import HttpTool
from telephony.assistants.tools.request import refusal_from, request_for, result_from, spoken_text
from telephony.errors import AssistantError

pytestmark = pytest.mark.pure

BASE: dict[str, Any] = {"description": "It.", "url": "https://api.example.com/v1/{city}?q={city}"}
CITY = {"city": {"type": "text"}}


def tool(**changes: Any) -> HttpTool:
    return HttpTool.model_validate({**BASE, "parameters": CITY, **changes})


@settings(deadline=None)
@given(st.text(max_size=40))
def test_an_argument_never_leaves_its_place_in_the_address(city: str) -> None:
    """Whatever a caller is understood to have said, host, path and other parameters stay."""
    if city in {".", ".."}:
        return
    try:
        city.encode()
    except UnicodeEncodeError:
        return
    url = request_for(tool(), {"city": city}, {}).url
    assert url.startswith("https://api.example.com/v1/")
    assert url.count("/") == 4
    assert url.count("?") == 1
    assert not set("&#@ \r\n") & set(url)


@pytest.mark.parametrize("city", [".", ".."])
def test_dots_do_not_climb_in_the_path(city: str) -> None:
    """A path step that means another folder is refused."""
    with pytest.raises(AssistantError, match="cannot stand in an address"):
        request_for(tool(), {"city": city}, {})


def test_a_secret_comes_from_the_environment_and_is_not_shown() -> None:
    """The header has it, the request's text has not, and an argument cannot ask for one."""
    asked = tool(headers={"Authorization": "Bearer ${KEY}", "X-City": "{city}"})
    request = request_for(asked, {"city": "${KEY}\r\nX: y"}, {"KEY": "s3cret"})
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.headers["X-City"] == "${KEY}X: y"
    assert "s3cret" not in repr(request)


def test_a_variable_that_is_not_set_is_named() -> None:
    """The tool fails before anything is sent, and says which variable."""
    with pytest.raises(AssistantError, match="KEY is not set"):
        request_for(tool(headers={"Authorization": "${KEY}"}), {"city": "x"}, {})


def test_a_body_keeps_the_types_of_its_arguments() -> None:
    """A place alone is the value itself; what was not given is left out."""
    asked = tool(
        method="POST",
        json={"to": "{city}", "n": "{n}", "note": "for {city}", "list": ["{n}"]},
        parameters={**CITY, "n": {"type": "integer", "required": False}},
    )
    body = request_for(asked, {"city": 'A "b"', "n": 3}, {}).body
    assert json.loads(body or b"") == {"to": 'A "b"', "n": 3, "note": 'for A "b"', "list": [3]}
    assert json.loads(request_for(asked, {"city": "A", "n": None}, {}).body or b"") == {
        "to": "A",
        "note": "for A",
        "list": [],
    }


RESULT = {"degrees": {"path": "current.t", "type": "number"}, "sky": {"required": False}}


def test_an_answer_is_checked_and_spoken() -> None:
    """Declared values come through, others do not, and the sentence is filled."""
    asked = tool(result=RESULT, say="{city}: {degrees} degrees.")
    answer = {"current": {"t": 21.0}, "sky": "clear\n\x00 now", "secret": 1}
    assert result_from(asked, answer, {"city": "Paris"}) == {
        "ok": True,
        "degrees": 21.0,
        "sky": "clear now",
        "text": "Paris: 21 degrees.",
    }


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        "text",
        {"current": {}},
        {"current": {"t": "21"}},
        {"current": {"t": True}},
        {"current": [1]},
    ],
)
def test_an_answer_of_another_shape_is_a_failure(answer: Any) -> None:
    """Nothing that was not declared is taken for a value."""
    with pytest.raises(AssistantError):
        result_from(tool(result=RESULT), answer, {"city": "Paris"})


def test_an_error_status_may_be_an_answer() -> None:
    """Only where the file says so."""
    asked = tool(statuses={"404": "There is no {city}."})
    assert refusal_from(asked, 404, {"city": "Oz"}) == {"ok": False, "status": 404, "text": "There is no Oz."}
    assert refusal_from(asked, 500, {"city": "Oz"}) is None


def test_values_are_said_as_people_say_them() -> None:
    """No needless decimals, lists with commas."""
    assert spoken_text("{a} {b} {c} {d}", {"a": 2.50, "b": 3, "c": ["x", "y"], "d": True}) == "2.5 3 x, y yes"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "https://{city}.example.com/"}, "the host stands in the file"),
        ({"url": "https://user:pw@example.com/"}, "no name or password"),
        ({"url": "https://example.com/?key=${KEY}"}, "put it into headers"),
        ({"url": "ftp://example.com/"}, "must be an URL"),
        ({"url": "https://example.com:99999/"}, "must be an URL"),
        ({"url": "https://example.com/#x"}, "no fragment"),
        ({"headers": {"Host": "elsewhere"}}, "set by the request itself"),
        ({"headers": {"X": "a\r\nb"}}, "control character"),
        ({"method": "POST", "retries": 1}, "could act twice"),
        ({"json": {"a": 1}}, "GET has no body"),
        ({"timeout_s": 31}, "less than or equal to 30"),
        ({"parameters": {"city": {"type": "choice"}}}, "a choice needs choices"),
    ],
)
def test_a_dangerous_declaration_is_refused(change: dict[str, Any], says: str) -> None:
    """What could leak a secret, leave the host or act twice is no tool."""
    with pytest.raises(ValidationError, match=says):
        tool(**change)


def test_only_what_is_harmless_is_repeated() -> None:
    """GET once more by itself, POST only where the receiver knows it again."""
    assert tool().repeats == 1
    assert tool(method="POST").repeats == 0
    assert tool(method="POST", idempotency_key=True).repeats == 1
