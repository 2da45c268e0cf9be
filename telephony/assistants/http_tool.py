"""A tool that is one HTTP request, as an assistant's file declares it: no Python is needed.

Strict, and safe by its shape: the host stands in the file and never comes out of a call, secrets stand in
headers as ``${VAR}`` and nowhere else, what is not idempotent is not repeated, and of the answer only the
values that are declared, of the types that are declared, reach the conversation.
``telephony.assistants.tools.http`` carries it out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from telephony.assistants.part import Name, Part, Speech

ParameterType = Literal["text", "number", "integer", "boolean", "choice"]
ValueType = Literal["text", "number", "integer", "boolean", "list", "object"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
"""Methods that do the same however often they are sent (RFC 9110 section 9.2.2)."""

FIELD: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""``{city}`` in the URL, a header or the body: an argument of the call."""
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${WEATHER_KEY}`` in a header: a variable of the worker's environment."""

_OWN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "cookie",
        "idempotency-key",
        "te",
        "upgrade",
    }
)

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")]
Status = Annotated[str, StringConstraints(pattern=r"^[45][0-9][0-9]$")]


class Parameter(Part):
    """One argument of the tool."""

    type: ParameterType = "text"
    """What it is. Default text."""
    description: str = Field(default="", max_length=500)
    """What a language model is told of it."""
    required: bool = True
    """Whether the tool cannot be called without it. Default true."""
    choices: list[str] = Field(default_factory=list, max_length=50)
    """For ``choice``: what it may be."""
    max_length: int = Field(default=200, ge=1, le=4000)
    """For ``text``: its longest, in characters. Default 200."""

    @model_validator(mode="after")
    def _choices_fit(self) -> Parameter:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("a choice needs choices, and nothing else has any")
        return self


class Value(Part):
    """One value of the answer."""

    path: str = Field(default="", max_length=200, pattern=r"^([A-Za-z0-9_$@ -]+(\.[A-Za-z0-9_$@ -]+)*)?$")
    """Where it stands in the answer: ``current.temperature``, ``days.0.high``. Default: its own name."""
    type: ValueType = "text"
    """What it must be. Default text."""
    required: bool = True
    """Whether an answer without it counts as a failure. Default true."""


class Waiting(Part):
    """What the caller hears while a slow tool works."""

    say: Speech
    """The sentence."""
    after_s: float = Field(default=1.0, ge=0.0, le=20.0)
    """Silence before it, in s. Default 1."""


class HttpTool(Part):
    """One tool."""

    description: str = Field(min_length=1, max_length=1000)
    """What it does and when to use it, for a language model."""
    parameters: dict[Name, Parameter] = Field(default_factory=dict, max_length=30)
    """Its arguments by name. Default: none."""
    method: Method = "GET"
    """Of the request. Default GET."""
    url: str = Field(min_length=1, max_length=2000)
    """Where to; ``{city}`` in its path or query is an argument, percent-encoded. The host is fixed."""
    headers: dict[HeaderName, str] = Field(default_factory=dict, max_length=30)
    """Further headers; ``${VAR}`` is a variable of the environment, which is where secrets belong."""
    body: dict[str, Any] | None = Field(default=None, alias="json")
    """The JSON object that is sent; ``"{city}"`` alone keeps the argument's type. Default: no body."""
    result: dict[Name, Value] = Field(default_factory=dict, max_length=30)
    """What is taken from the JSON answer, checked. Default: nothing, the status is enough."""
    say: Speech | None = None
    """The result's ``text``; ``{temperature}`` is a value of the result, ``{city}`` an argument."""
    statuses: dict[Status, Speech] = Field(default_factory=dict)
    """Error statuses that are answers: ``"404": There is no such city.`` Default: each is a failure."""
    timeout_s: float = Field(default=5.0, gt=0, le=30)
    """For everything together, repetitions too, in s. Default 5."""
    retries: int | None = Field(default=None, ge=0, le=3)
    """Repetitions after a failure of the network, 429 or 502 to 504. Default: 1 where repeating is harmless,
    0 else."""
    idempotency_key: bool = False
    """Whether the receiver honours ``Idempotency-Key``, which makes repeating harmless. Default false."""
    waiting: Waiting | None = None
    """What is said while it works. Default: nothing."""

    @property
    def repeats(self) -> int:
        """How often a failed request is sent again."""
        if self.retries is not None:
            return self.retries
        return 1 if self.repeatable else 0

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in IDEMPOTENT or self.idempotency_key

    @field_validator("url")
    @classmethod
    def _names_a_host(cls, url: str) -> str:
        if "${" in url:
            raise ValueError("a secret in an URL ends up in logs; put it into headers")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("must be an URL such as https://api.example.com/v1") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
            raise ValueError("must be an URL such as https://api.example.com/v1")
        if "{" in parts.netloc or "@" in parts.netloc:
            raise ValueError("the host stands in the file: no {…}, no name or password before it")
        if parts.fragment or any(ord(letter) <= 32 for letter in url):
            raise ValueError("must have no fragment and no blanks")
        return url

    @field_validator("headers")
    @classmethod
    def _may_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is set by the request itself")
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
                raise ValueError(f"{name} has a control character in it")
        return headers

    @model_validator(mode="after")
    def _fits_together(self) -> HttpTool:
        if self.retries and not self.repeatable:
            raise ValueError(
                f"{self.method} is not repeated, since it could act twice; "
                "leave retries out, or set idempotency_key if the receiver honours it"
            )
        if self.body is not None and self.method in {"GET", "DELETE"}:
            raise ValueError(f"{self.method} has no body")
        return self

    def fields(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Every ``{name}`` that stands for an argument, with its path inside the tool."""
        found: list[tuple[Any, str]] = [(("url",), name) for name in FIELD.findall(self.url)]
        found += [(("headers", key), name) for key, text in self.headers.items() for name in _fields(text)]
        found += _in_tree(self.body, ("json",))
        return [(tuple(path), name) for path, name in found]

    def variables(self) -> list[str]:
        """The environment variables that its headers need, each once."""
        found = [name for text in self.headers.values() for name in VARIABLE.findall(text)]
        return list(dict.fromkeys(found))


def _fields(text: str) -> list[str]:
    return FIELD.findall(VARIABLE.sub("", text))


def _in_tree(tree: Any, path: tuple[str | int, ...]) -> list[tuple[Any, str]]:
    if isinstance(tree, str):
        return [(path, name) for name in FIELD.findall(tree)]
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [found for step, item in steps for found in _in_tree(item, (*path, step))]
