import json
import threading
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from telephony.assistants.loader import load_assistant
from telephony.assistants.schema import Hours, Operator, Weekday
from telephony.assistants.tools.callbacks import CallbackList
from telephony.assistants.tools.dates import date_in
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.diary import PLACES, Appointment, Diary
from telephony.assistants.tools.hours import spoken_day_hours, spoken_week
from telephony.assistants.tools.registry import TOOLS
from telephony.errors import AssistantError, LiveKitError

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
"""A Saturday."""


def desk(**reach: Any) -> Desk:
    return Desk(load_assistant("reception"), now=lambda: NOW, **reach)


async def book(at: Desk, day: str, when: str, name: str = "Anna Keller") -> dict[str, Any]:
    return await TOOLS["book_appointment"].run(at, {"day": day, "time": when, "name": name})


async def test_a_booking_is_in_the_diary_and_told_in_words() -> None:
    """The date is worked out from the day of the call."""
    collected: list[dict[str, Any]] = []
    at = desk(collected=collected.append)
    result = await book(at, "tuesday", "15:30")
    assert result["booked"] is True
    assert result["text"] == "Tuesday, November 24, at 3:30 PM"
    assert at.diary.appointments() == [Appointment(date(2026, 11, 24), time(15, 30), "Anna Keller")]
    assert collected == [{"day": "2026-11-24", "time": "15:30", "name": "Anna Keller"}]


@pytest.mark.parametrize(
    ("day", "when", "reason"),
    [
        ("sunday", "15:30", "closed_day"),
        ("tuesday", "08:00", "closed"),
        ("tuesday", "17:15", "closed"),
        ("today", "09:00", "past"),
        ("someday", "15:30", "unclear"),
        ("tuesday", "later", "unclear"),
        ("2026-11-20", "15:30", "past"),
    ],
)
async def test_what_cannot_be_booked_says_why(day: str, when: str, reason: str) -> None:
    """A refusal names its reason and has a sentence to speak."""
    result = await book(desk(), day, when)
    assert (result["booked"], result["reason"]) == (False, reason)
    assert result["text"]


async def test_a_full_time_is_taken_and_another_is_offered() -> None:
    """Only as many appointments overlap as there are places."""
    at = desk()
    for n in range(PLACES):
        assert (await book(at, "tuesday", "15:30", f"Patient {n}"))["booked"]
    refused = await book(at, "tuesday", "15:45", "One More")
    assert refused["reason"] == "taken"
    assert "is still free" in refused["text"]
    assert (await book(at, "tuesday", "16:00", "One More"))["booked"]


async def test_booking_twice_is_one_appointment() -> None:
    """A tool that is called again after an interruption does no harm."""
    at = desk()
    for _ in range(2):
        assert (await book(at, "tuesday", "15:30"))["booked"]
    assert len(at.diary.appointments()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"day": "tuesday"},
        {"day": 3, "time": "9", "name": "A"},
        {"day": "a", "time": "b", "name": "c", "x": "y"},
    ],
)
async def test_wrong_arguments_are_refused_in_a_sentence(arguments: dict[str, Any]) -> None:
    """A model that calls a tool wrongly is told which argument."""
    with pytest.raises(AssistantError, match="book_appointment"):
        await TOOLS["book_appointment"].run(desk(), arguments)


def test_a_tool_describes_itself_by_its_signature() -> None:
    """The schema for a model has the arguments, their descriptions, and nothing of the desk."""
    schema = TOOLS["book_appointment"].schema()
    assert schema["required"] == ["day", "time", "name"]
    assert schema["properties"]["day"]["description"]
    assert TOOLS["end_call"].schema()["properties"] == {}
    assert TOOLS["opening_hours"].schema().get("required") is None


def test_the_diary_outlives_the_process_and_is_private(tmp_path: Path) -> None:
    """A second diary on the same file sees the first one's bookings; nobody else may read it."""
    path = tmp_path / "data" / "diary.json"
    Diary(path).book(Appointment(date(2026, 11, 24), time(9), "A"))
    assert [entry.name for entry in Diary(path).appointments()] == ["A"]
    assert path.stat().st_mode & 0o077 == 0


def test_many_calls_write_one_diary(tmp_path: Path) -> None:
    """Bookings at the same moment do not overwrite each other."""
    path = tmp_path / "diary.json"
    wanted = [Appointment(date(2026, 11, 24), time(9 + n), f"P{n}") for n in range(8)]
    threads = [threading.Thread(target=Diary(path).book, args=(each,)) for each in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(entry.name for entry in Diary(path).appointments()) == [f"P{n}" for n in range(8)]


def test_a_damaged_diary_is_one_sentence(tmp_path: Path) -> None:
    """A file that is not a list of ours is not overwritten."""
    path = tmp_path / "diary.json"
    path.write_text(json.dumps({"not": "a list"}))
    with pytest.raises(AssistantError, match="cannot read"):
        Diary(path).book(Appointment(date(2026, 11, 24), time(9), "A"))
    assert json.loads(path.read_text()) == {"not": "a list"}


async def test_without_an_operator_a_call_back_is_noted_and_said() -> None:
    """The promise is only made when it is written down, and once a call."""
    at = desk(caller_number="+15550100199", call_id="call_abcdef")
    for _ in range(2):
        result = await TOOLS["transfer_to_operator"].run(at, {})
        assert (result["transferred"], result["callback"]) == (False, True)
    assert at.callbacks.numbers() == ["+15550100199"]


async def test_nobody_is_promised_a_call_back_without_a_number() -> None:
    """A caller who withholds the number is told so."""
    at = desk()
    result = await TOOLS["transfer_to_operator"].run(at, {})
    assert (result["transferred"], result["callback"]) == (False, False)
    assert at.callbacks.numbers() == []


@pytest.mark.parametrize("works", [True, False])
async def test_an_operator_is_rung_where_there_is_one(works: bool) -> None:
    """The transfer's outcome decides what is said; a failed one becomes a call back."""
    asked: list[str] = []

    async def transfer(target: str) -> None:
        asked.append(target)
        if not works:
            raise LiveKitError("busy")

    at = desk(caller_number="+15550100199", transfer=transfer)
    at.assistant = at.assistant.model_copy(update={"operator": Operator(transfer_to="sip:desk@example.com")})
    result = await TOOLS["transfer_to_operator"].run(at, {})
    assert asked == ["sip:desk@example.com"]
    assert result["transferred"] is works


async def test_ending_hangs_up_the_line() -> None:
    """The tool only asks for it; the line decides when."""
    asked: list[bool] = []
    await TOOLS["end_call"].run(desk(hang_up=lambda: asked.append(True)), {})
    assert asked == [True]


async def test_opening_hours_of_a_day_and_of_the_week() -> None:
    """A day is answered alone, anything else with the whole week."""
    assert (await TOOLS["opening_hours"].run(desk(), {"day": "sunday"}))["text"] == "On Sunday we are closed."
    week = (await TOOLS["opening_hours"].run(desk(), {}))["text"]
    assert week == (
        "We are open Monday to Friday from 9 AM to 5:30 PM, and Saturday from 10 AM to 1 PM. "
        "We are closed on Sunday."
    )


def test_hours_of_odd_weeks() -> None:
    """A week without hours, and days that differ, are still said plainly."""
    assert spoken_week({}) == "We are closed all week."
    hours: dict[Weekday, Hours] = {"monday": "09:00-12:00", "wednesday": "09:00-12:00"}
    assert spoken_week(hours).startswith("We are open Monday from 9 AM to noon, and Wednesday")
    assert spoken_day_hours(hours, 1) == "On Tuesday we are closed."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("saturday", date(2026, 11, 21)),
        ("monday", date(2026, 11, 23)),
        ("tomorrow", date(2026, 11, 22)),
        ("11-20", date(2027, 11, 20)),
        ("02-29", date(2028, 2, 29)),
        ("the 24th of November", date(2026, 11, 24)),
        ("2026-12-01", date(2026, 12, 1)),
        ("never", None),
    ],
)
def test_a_day_is_its_next_date(text: str, expected: date | None) -> None:
    """Weekdays and dates mean the next one, today while the time is still ahead."""
    assert date_in(text, NOW, time(15)) == expected


def test_a_weekday_whose_time_has_passed_is_next_week() -> None:
    """Saturday at nine, said on Saturday at ten, is a week ahead."""
    assert date_in("saturday", NOW, time(9)) == date(2026, 11, 28)


def test_callbacks_are_kept_on_disk(tmp_path: Path) -> None:
    """The list is what the operator works through the next day."""
    path = tmp_path / "callbacks.json"
    CallbackList(path).note("+15550100", NOW, call_id="call_one111")
    CallbackList(path).note("+15550101", NOW, call_id="call_two222")
    assert CallbackList(path).numbers() == ["+15550100", "+15550101"]
