"""The operator's file: read whole or refused whole, with everything that is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.config import ConfigProblemsError, LineConfig, load, load_bytes, load_config
from telephony.errors import ConfigError
from tests.provisioning.files import SHIPPED, config, loaded

pytestmark = pytest.mark.pure

SECRET = "s3cr3t-that-must-not-be-seen"


def problems(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigProblemsError) as caught:
        loaded(text, env)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_file_loads_without_any_variable() -> None:
    """A fresh clone validates without notes; only the key to the server is missing."""
    result = load(SHIPPED, {})
    assert result.notes == []
    assert result.config.livekit.api_key is None
    assert result.config.sip_trunks[0].numbers == ["+15550100100"]


def test_every_problem_is_said_at_once_with_its_place() -> None:
    """One reading of the file shows all there is to mend, in reading order."""
    found = problems(
        """
        livekit: {url: "ws://example.com", api_sceret: x}
        sip_trunks:
          - name: a
            numbers: [+74951234567]
            inbound_only: "true"
        bridge: {rtp_port: 9-1}
        """
    )
    assert [text.split(": ")[0] for text in found] == ["2:11", "2:36", "5:15", "6:5", "7:10"]


def test_what_is_wrong_between_entries_is_said_beside_what_is_wrong_in_them() -> None:
    """A typo in one trunk hides nothing elsewhere, and nothing is made up for what it may explain."""
    found = problems(
        """
        sip_trunks:
          - {name: a, hots: x, numbers: ["+15550001"]}
          - {name: b, outbound_only: true, numbers: ["+15550002"]}
        routing:
          inbound_rules:
            - {name: r, trunks: [a, c], prot: 1}
            - {name: s, trunks: [a]}
            - {name: s, trunks: [b]}
        """
    )
    assert [(text.split(":")[0], text.split(": ")[1]) for text in found] == [
        ("3", "sip_trunks[0].hots"),
        ("4", "sip_trunks[1].host"),
        ("7", "routing.inbound_rules[0].trunks[1]"),
        ("7", "routing.inbound_rules[0].prot"),
        ("9", "routing.inbound_rules[2].name"),
        ("9", "routing.inbound_rules[2].trunks[0]"),
    ], found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("routing: {inbound_rules: [{name: r, match: {to: 74951234567}}]}", 'in quotes: "74951234567"'),
        ("livekit: {api_sceret: x}", "Did you mean api_secret?"),
        ("log_level: debug", "Write logging: {level: …}."),
        ("speech: {stt: {provider: deepgram, modle: x}}", "Did you mean model?"),
        ("sip_trunks: [{name: a, numbers: [+74951234567]}]", 'Put it in quotes: "+74951234567".'),
        ("sip_trunks: [{name: a, numbers: [0053000]}]", 'Put it in quotes: "0053000".'),
        ("bridge: {sip_port: '5060'}", "Leave the quotes out."),
        ("agent: {max_calls: ten}", "must be a whole number, not text"),
        ("webhooks: {timeout: soon}", "must be a time such as 500ms"),
        ("livekit: {url: 'ws://10.0.0.5:7880'}", "must be wss:// outside loopback"),
        ("redis: {address: localhost}", "must be host:port"),
        ("outbound: {calling_hours: {timezone: Mars/Base}}", "must be a time zone"),
        ("outbound: {calling_hours: {start: '20:00', end: '09:00'}}", "start must come before end"),
        ("outbound: {allowed_regions: [UK]}", "did you mean GB?"),
        ("outbound: {allowed_kinds: [emergency]}", "must be 'fixed_line'"),
        ("sip_trunks: [{name: a, allowed_addresses: ['10.0.0.1/8']}]", "has host bits set"),
        ("sip_trunks: [{name: 'a b'}]", "is not written as it must be"),
        ("sip_trunks: [{}]", "name: is missing"),
        ("- a", "must be a mapping"),
        ("", "the file is empty"),
        ("# nothing", "the file is empty"),
        ("routing: {inbound_rules: [{name: r, rule: {}}]}", "must hold exactly one of"),
    ],
)
def test_a_mistake_is_said_with_what_to_write_instead(text: str, words: str) -> None:
    """Nearest key, quotes, units, forms: the message carries the fix."""
    assert any(words in problem for problem in problems(text)), problems(text)


def test_expanded_values_become_what_their_field_wants_and_literals_do_not() -> None:
    """A variable is text, so 5060 and false are converted; a quoted literal is refused."""
    env = {"PORT": "5070", "SYM": "false", "MS": "80", "WAIT": "2.5s"}
    result = config(
        "bridge: {sip_port: '${PORT}', symmetric_rtp: '${SYM}', jitter_buffer_ms: '${MS}', "
        "agent_wait_timeout: '${WAIT}'}",
        env,
    )
    assert (result.bridge.sip_port, result.bridge.symmetric_rtp) == (5070, False)
    assert (result.bridge.jitter_buffer_ms, result.bridge.agent_wait_timeout) == (80, 2.5)
    assert "must be a whole number" in problems("bridge: {sip_port: '${PORT}'}", {"PORT": "many"})[0]


def test_a_variable_that_is_not_set_is_said_once() -> None:
    """The schema does not complain a second time about the hole."""
    found = problems("redis: {address: '${RD}', db: '${N:?which db}'}")
    assert len(found) == 2
    assert "the variable RD is not set" in found[0]
    assert "which db" in found[1]


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """A *_file key is read relative to the file, without its last line end."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    file = tmp_path / "line.yaml"
    file.write_text("livekit: {api_key: k, api_secret_file: secret}")
    secret = load_config(file, {}).livekit.api_secret
    assert secret is not None
    assert secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("livekit: {api_secret_file: gone}", "cannot read gone: No such file"),
        ("livekit: {api_secret_file: empty}", "it is empty"),
        ("livekit: {api_secret: x, api_secret_file: gone}", "are both given"),
        ("sip_trunks: [{name: a, auth_username: u, auth_password_file: .}]", "cannot read ."),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_a_problem(text: str, words: str, tmp_path: Path) -> None:
    """The problem stands at the *_file key."""
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigProblemsError) as caught:
        load_bytes(text.encode(), tmp_path / "line.yaml", {})
    assert any(words in str(problem) for problem in caught.value.problems), caught.value


def test_env_local_is_read_and_the_environment_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env.local beside the file fills variables in that the process does not have."""
    file = tmp_path / "line.yaml"
    file.write_text("redis: {address: '${A}:1'}\nlivekit: {api_key: '${B}'}")
    (tmp_path / ".env.local").write_text("A=from-file\nB=from-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("B", "from-process")
    monkeypatch.delenv("A", raising=False)
    result = load_config(file)
    assert (result.redis.address, result.livekit.api_key) == ("from-file:1", "from-process")


@pytest.mark.parametrize("key", ["api_secret", "password", "auth_password"])
def test_a_wrong_secret_is_never_repeated(key: str) -> None:
    """Neither as a number nor as the wrong kind of value does it come back in a message."""
    places = {
        "api_secret": "livekit: {api_secret: %s}",
        "password": "redis: {password: %s}",
        "auth_password": "sip_trunks: [{name: a, auth_username: u, auth_password: %s}]",
    }
    for value in ("123456789012345", f"[{SECRET}]", f"{{{SECRET}: 1}}"):
        text = places[key] % value
        assert not any("123456789012345" in p or SECRET in p for p in problems(text)), problems(text)


def test_secrets_are_not_in_the_models_own_words() -> None:
    """repr and dump of a file hide what must not be seen."""
    result = config(f"livekit: {{api_secret: '{SECRET}'}}\nredis: {{password: '{SECRET}'}}")
    assert SECRET not in repr(result)
    assert SECRET not in result.model_dump_json()


def test_entries_may_be_a_mapping_of_names() -> None:
    """name: {…} reads as an entry with that name, and problems keep their lines."""
    text = """
        sip_trunks:
          one: {numbers: ["+15550001"]}
          two: {numbers: ["+15550002"], prt: 1}
        """
    (problem,) = problems(text)
    assert problem.startswith("4:33: sip_trunks[1].prt")
    good = config(text.replace(", prt: 1", "") + "\n        routing: {inbound_rules: {r: {trunks: [one]}}}\n")
    assert [trunk.name for trunk in good.sip_trunks] == ["one", "two"]
    assert good.routing.inbound_rules[0].name == "r"


GUIDE = """
    livekit:
      url: ${LIVEKIT_URL:-wss://livekit.example.com}
      api_key: ${LIVEKIT_API_KEY}
      api_secret: ${LIVEKIT_API_SECRET}
      connection_timeout: 30s
      keep_alive: 25s
      auto_reconnect: true
      max_reconnect_attempts: 10
      reconnect_delay: 1s
    redis: {address: "${REDIS_ADDRESS:-localhost:6379}", timeout: 5s}
    sip_trunks:
      - name: novofon-inbound
        inbound_only: true
        numbers: ["+79952227978", "79952227978"]
        allowed_addresses: ["0.0.0.0/0"]
        auth_required: false
      - name: novofon-outbound
        outbound_only: true
        host: sip.novofon.ru
        port: 5060
        transport: UDP
        numbers: ["+79952227978"]
        auth_username: ${NOVOFON_USERNAME}
        auth_password: ${NOVOFON_PASSWORD}
    routing:
      inbound_rules:
        - name: voice-ai-dispatch
          match: {to: "+79952227978"}
          action:
            type: livekit_room
            room_name_template: "voice-ai-call-{call_id}"
            participant_name: caller
            participant_identity: "{caller_number}"
            room_metadata: {call_type: inbound, sip_number: "+79952227978", created_at: "{timestamp}"}
    webhooks: {enabled: true, url: "https://example.com/webhooks/livekit", secret: "${HOOK}", timeout: 5s,
               max_retries: 3, retry_delay: 1s}
    audio_codecs:
      - {name: PCMU, priority: 1}
      - {name: PCMA, priority: 2}
      - {name: G722, priority: 3}
      - {name: opus, priority: 4}
    logging: {level: INFO, structured: true, format: json}
    health_check: {enabled: true, interval: 60s, timeout: 10s}
    """
GUIDE_ENV = {
    "LIVEKIT_API_KEY": "k",
    "LIVEKIT_API_SECRET": SECRET,
    "NOVOFON_USERNAME": "0053000",
    "NOVOFON_PASSWORD": SECRET,
    "HOOK": SECRET,
}


def test_a_file_in_the_form_of_the_guides_loads_with_one_note_for_each_surprise() -> None:
    """Every key is known; what LiveKit cannot do as written is said, with what happens instead."""
    result = loaded(GUIDE, GUIDE_ENV)
    notes = [str(note) for note in result.notes]
    for words in (
        "anybody in the world can call in through trunk 'novofon-inbound'",
        "rooms are named voice-ai-call_<caller>_<random>",
        "sip_<caller's number>",
        "Phone <caller's number>",
        "nobody fills in '{timestamp}'",
        "G722 helps only where the carrier keeps it",
        "LiveKit speaks no Opus on a SIP leg",
        "LiveKit signs its own hook with livekit.api_key",
    ):
        assert sum(words in note for note in notes) == 1, (words, notes)
    assert len(notes) == 8
    assert result.config.webhooks.is_livekits_own
    assert not any(SECRET in note for note in notes)


def test_a_file_that_is_not_there_is_said() -> None:
    """The message names the file and the option."""
    with pytest.raises(ConfigError, match="cannot read /nowhere"):
        load(Path("/nowhere/line.yaml"), {})


def test_a_literal_secret_is_noted() -> None:
    """A password in the file itself works, but belongs into a variable or a file."""
    result = loaded(f"livekit: {{api_secret: '{SECRET}'}}")
    (note,) = result.notes
    assert "stands in the file in clear" in note.message
    assert SECRET not in str(note)
    assert loaded("livekit: {api_secret: '${S}'}", {"S": SECRET}).notes == []


names = st.sampled_from([*LineConfig.model_fields, "nonsense", "<<", "url", "numbers"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(names | st.text(max_size=8), children),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(names, values, max_size=6))
def test_any_tree_is_read_or_refused_in_words(tree: dict[str, object]) -> None:
    """Random sections of random kinds never raise anything but the problems' own error."""
    _read(yaml.safe_dump(tree, allow_unicode=True).encode())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_shipped_file_with_random_damage_is_read_or_refused_in_words(data: st.DataObject) -> None:
    """Bytes cut out, doubled or replaced in a good file: an error in words, or a good file still."""
    text = SHIPPED.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = min(len(text), at + data.draw(st.integers(0, 12)))
        text = text[:at] + data.draw(st.binary(max_size=6)) + text[until:]
    _read(text)


def _read(data: bytes) -> None:
    told = ""
    try:
        load_bytes(data, Path("line.yaml"), {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": SECRET})
    except ConfigProblemsError as error:
        told = str(error) if error.problems else SECRET
    assert SECRET not in told
