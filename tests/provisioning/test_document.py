"""YAML to values with positions, bounded whatever the file holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.reading.document import MAX_BYTES, core_scalar, parse_document
from provisioning.reading.problem import Position

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ("+12025550143", 12025550143),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("NO", "NO"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """What YAML 1.1 would misread stays a text; numbers and truth values are read."""
    result = core_scalar(text)
    assert result == value
    assert type(result) is type(value)


def test_every_value_knows_where_it_stands() -> None:
    """Line and column are those of the key, or of the item in a list."""
    document = parse_document(b"a:\n  b: [1, {c: x}]\n")
    assert document.tree == {"a": {"b": [1, {"c": "x"}]}}
    assert document.positions[("a", "b")] == Position(2, 3)
    assert document.positions[("a", "b", 0)] == Position(2, 7)
    assert document.positions[("a", "b", 1, "c")] == Position(2, 11)


def test_quoted_text_is_never_a_number() -> None:
    """Quotes of either kind, and block texts, make strings."""
    assert parse_document(b"a: '12'\nb: \"true\"\nc: |\n  12\n").tree == {"a": "12", "b": "true", "c": "12\n"}


def test_a_key_written_twice_is_a_problem_with_both_places() -> None:
    """The second one is refused, since one of the two is not what the writer believes."""
    (problem,) = parse_document(b"a: 1\nb: 2\na: 3\n").problems
    assert problem.position == Position(3, 1)
    assert "first at 1:1" in problem.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: [1", "not YAML"),
        (b"a: !!python/object:os.system x", "has no meaning here"),
        (b"--- 1\n--- 2\n", "single document"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"? [a, b]\n: c\n", "single word"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: " + b"[" * 60 + b"]" * 60, "nested too deeply"),
        (b"a: &x {b: *x}\n", "nested too deeply"),
        (b"a: \x07b", "not readable"),
    ],
)
def test_what_is_not_a_plain_document_is_said(data: bytes, words: str) -> None:
    """Syntax, tags, several documents, other encodings, depth and cycles are refused in words."""
    problems = parse_document(data).problems
    assert any(words in problem.message for problem in problems), problems


def test_aliases_cannot_blow_a_small_file_up() -> None:
    """A billion laughs end at a million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    document = parse_document("\n".join(lines).encode())
    assert any("too often" in problem.message for problem in document.problems)


def test_a_file_may_not_be_huge() -> None:
    """More than a few megabytes are not even parsed."""
    assert "larger than" in parse_document(b" " * (MAX_BYTES + 1)).problems[0].message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Whatever comes, the answer is a document with or without problems."""
    assert all(problem.message for problem in parse_document(data).problems)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abc:-[]{}\"'&*!|>#%@` \n\t,?<~012")), max_size=200))
def test_no_yaml_like_text_makes_it_raise(text: str) -> None:
    """Texts out of YAML's own characters neither."""
    assert all(problem.message for problem in parse_document(text.encode()).problems)
