"""Variables of the environment, expanded after parsing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.reading.expansion import MISSING, Expanded, expand_tree

pytestmark = pytest.mark.pure

ENV = {"A": "one", "COLON": "a: b # c", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x ${A} y", "x one y"),
        ("${B:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${B:-${A}}", "one"),
        ("${COLON}", "a: b # c"),
        ("p@$$w0rd", "p@$$w0rd"),
        ("a $5 b ${A}", "a $5 b one"),
        ("$A", "$A"),
    ],
)
def test_braced_forms_are_expanded_and_nothing_else(text: str, value: str) -> None:
    """Only ${…} counts, so that passwords with a dollar stay whole."""
    tree, problems = expand_tree({"k": text}, ENV, {})
    assert (tree, problems) == ({"k": value}, [])


def test_what_comes_from_the_environment_can_be_told_from_a_literal() -> None:
    """Only an expanded value may later become a number."""
    tree, _ = expand_tree({"a": "${A}", "b": "one"}, ENV, {})
    assert isinstance(tree["a"], Expanded)
    assert not isinstance(tree["b"], Expanded)


def test_a_key_that_expands_to_nothing_is_not_written() -> None:
    """An optional variable can be left unset."""
    tree, problems = expand_tree({"a": "${B:-}", "b": {"c": "${EMPTY}"}}, ENV, {})
    assert (tree, problems) == ({"b": {}}, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${B}", "the variable B is not set"),
        ("${B:?the carrier's password}", "B: the carrier's password"),
        ("${B", "not well formed"),
        ("${}", "not well formed"),
    ],
)
def test_what_cannot_be_expanded_is_said_once(text: str, words: str) -> None:
    """The message names the variable; the value's place is kept free for the schema to pass over."""
    tree, (problem,) = expand_tree({"k": [text]}, ENV, {})
    assert words in problem.message
    assert problem.path == ("k", 0)
    assert tree["k"][0] is MISSING


@given(st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    """Broken braces are problems, not exceptions."""
    _, problems = expand_tree({"k": "${" + text}, ENV, {})
    assert problems or "}" in text
    _, problems = expand_tree({"k": text}, ENV, {})
    assert not problems or "$" in text
