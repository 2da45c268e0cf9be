from pathlib import Path

import pytest

from telephony.agent.settings import AgentSettings
from telephony.errors import ConfigError

pytestmark = pytest.mark.pure

FILE = """\
livekit: {url: "ws://127.0.0.1:7999", api_key: key, api_secret: secret-of-the-file}
agent: {name: desk, max_calls: 3}
assistants: {directory: /srv/assistants}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    path.write_text(FILE)
    return path


def test_an_empty_environment_gives_defaults() -> None:
    """The module can be imported anywhere; credentials are asked for when the worker starts."""
    settings = AgentSettings.from_environment({})
    assert settings.line.agent.name == "trunkline"
    assert settings.max_calls == settings.line.agent.max_calls
    with pytest.raises(ConfigError, match="LIVEKIT_API_KEY"):
        settings.require_credentials()


def test_the_file_is_read_and_the_environment_wins(config: Path) -> None:
    """A supervisor's ports and keys stand above the file's."""
    env = {"TRUNKLINE_CONFIG": str(config)}
    from_file = AgentSettings.from_environment(env)
    assert (from_file.url, from_file.api_key, from_file.max_calls) == ("ws://127.0.0.1:7999", "key", 3)
    assert from_file.assistant_directories == [Path("/srv/assistants")]
    both = AgentSettings.from_environment(
        env
        | {
            "LIVEKIT_URL": "ws://127.0.0.1:1",
            "LIVEKIT_API_KEY": "other",
            "LIVEKIT_API_SECRET": "other-secret",
            "TRUNKLINE_MAX_CALLS": "7",
            "TRUNKLINE_DATA": "/data",
        }
    )
    assert (both.url, both.api_key, both.api_secret, both.max_calls) == (
        "ws://127.0.0.1:1",
        "other",
        "other-secret",
        7,
    )
    assert both.events == Path("/data/events")
    both.require_credentials()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUNKLINE_MAX_CALLS", "0"),
        ("TRUNKLINE_MAX_CALLS", "many"),
        ("TRUNKLINE_WORKER_PORT", "70000"),
        ("TRUNKLINE_WORKER_PORT", "-1"),
    ],
)
def test_a_wrong_number_is_named(name: str, value: str) -> None:
    """The sentence says which variable and what it may be."""
    with pytest.raises(ConfigError, match=name):
        AgentSettings.from_environment({name: value})


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that is not there is an error of the configuration."""
    with pytest.raises(ConfigError, match="cannot read"):
        AgentSettings.from_environment({"TRUNKLINE_CONFIG": str(tmp_path / "none.yaml")})


def test_the_secret_is_not_shown() -> None:
    """Printing the settings does not print the key's secret."""
    assert "hidden-secret" not in repr(
        AgentSettings.from_environment({"LIVEKIT_API_SECRET": "hidden-secret"})
    )
