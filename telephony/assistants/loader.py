"""Read assistants' files, and say which key in which line is wrong.

An assistant is looked for by name, first in the operator's folder, then among those that come with
the product. Problems of one file are reported all at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.reading.document import parse_document
from provisioning.reading.problem import Problem, in_reading_order, position_of
from provisioning.reading.validation import validate_tree
from telephony.assistants.consistency import inconsistencies
from telephony.assistants.schema import Assistant
from telephony.assistants.tools.registry import tool_named
from telephony.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BUNDLED = Path(__file__).parent
"""The folder of the assistants that come with the product."""
SAMPLES = BUNDLED / "samples"
"""The folder of those that are there to be copied; they are found by name as well."""


def load_assistant(name: str, directories: Sequence[Path] = ()) -> Assistant:
    """Find an assistant by name and read it.

    Args:
        name: the file's name without ``.yaml``.
        directories: where to look before the bundled ones.

    Raises:
        AssistantError: there is none of that name, or its file is wrong.
    """
    path = find_assistant(name, directories)
    if path is not None:
        return read_assistant(path)
    known = sorted({*assistant_names(directories), *sample_names()})
    raise AssistantError(
        f"there is no assistant {name!r}.",
        field="assistant",
        fix=f"Write {name}.yaml into the assistants' folder, or choose one of: {', '.join(known)}.",
    )


def find_assistant(name: str, directories: Sequence[Path] = ()) -> Path | None:
    """The file of that name; None where there is none."""
    for folder in (*directories, BUNDLED, SAMPLES):
        if any(path.stem == name for path in folder.glob("*.yaml")):
            return folder / f"{name}.yaml"
    return None


def sample_names() -> list[str]:
    """The names of the samples, sorted."""
    return sorted(path.stem for path in SAMPLES.glob("*.yaml"))


def assistant_names(directories: Iterable[Path] = ()) -> list[str]:
    """The names of the operator's assistants and of the product's own, without the samples, sorted."""
    return sorted({path.stem for folder in (*directories, BUNDLED) for path in folder.glob("*.yaml")})


def read_assistant(path: Path) -> Assistant:
    """Read one assistant's file.

    Raises:
        AssistantError: every problem in it, one a line as ``file:line:column: key: sentence``.
    """
    try:
        document = parse_document(path.read_bytes())
    except OSError as error:
        raise AssistantError(f"cannot read {path}: {error.strerror or error}.", field=path.name) from error
    problems = document.problems
    if not problems and not isinstance(document.tree, dict):
        problems = [Problem((), "must be a mapping of keys.")]
    assistant: Assistant | None = None
    if not problems:
        assistant, problems = validate_tree(Assistant, document, _no_secrets)
    if assistant is not None:
        found = inconsistencies(assistant, tool_named=tool_named)
        if assistant.name != path.stem:
            found.append((("name",), f"must be {path.stem!r}, as the file is called."))
        problems = [Problem(at, text, position_of(at, document.positions)) for at, text in found]
    if problems or assistant is None:
        lines = [f"{path.name}:{problem}" for problem in in_reading_order(problems)]
        raise AssistantError("\n".join(lines), fix=f"Correct {path}.")
    return assistant


def _no_secrets(name: str) -> str:
    raise ValueError(f"an assistant's file holds no secrets ({name})")
