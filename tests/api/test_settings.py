from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.api.settings import read_settings
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

FILE = """
livekit: {url: ws://127.0.0.1:7880, api_key: key, api_secret: "${SECRET}"}
redis: {address: 127.0.0.1:6379}
webhooks: {allowed_networks: [10.0.0.0/8]}
api: {port: 8181, keep_calls: 30d, prices_file: "PRICES", database_url: "${DATABASE}"}
"""
ENV = {"SECRET": "s" * 40, "DATABASE": "postgresql://somewhere/record"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An operator's file with an api section and its prices."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("currency: EUR\ncarriers: [{direction: inbound, per_minute: 0.01}]\n")
    path = tmp_path / "line.yaml"
    path.write_text(FILE.replace("PRICES", str(prices)))
    return path


def test_the_file_says_what_the_environment_does_not(config: Path) -> None:
    """Port, database, prices, networks of receivers, and how long calls are kept."""
    settings = read_settings(config, ENV)
    assert (settings.port, settings.keep_calls_days) == (8181, 30)
    assert settings.database_url == "postgresql://somewhere/record"
    assert settings.prices.currency == "EUR"
    assert settings.guard.objection("http://10.1.2.3/hook") is None
    assert settings.guard.objection("http://192.168.1.2/hook") is not None


def test_the_environment_goes_before_the_file(config: Path) -> None:
    """As the containers set it."""
    env = {
        **ENV,
        "TRUNKLINE_API_PORT": "0",
        "TRUNKLINE_DATABASE_URL": "sqlite:///here.db",
        "TRUNKLINE_KEEP_CALLS_DAYS": "7",
        "TRUNKLINE_WEBHOOK_NETWORKS": "192.168.0.0/16",
    }
    settings = read_settings(config, env)
    assert (settings.port, settings.keep_calls_days) == (0, 7)
    assert settings.database_url == "sqlite:///here.db"
    assert settings.guard.objection("http://192.168.1.2/hook") is None


def test_a_price_table_that_cannot_be_read_names_the_field(config: Path) -> None:
    """The field of the file, or the variable, whichever said so."""
    (config.parent / "prices.yaml").write_text("currency: [")
    with pytest.raises(ConfigError) as wrong:
        read_settings(config, ENV)
    assert wrong.value.field == "api.prices_file"
    with pytest.raises(ConfigError) as wrong:
        read_settings(config, {**ENV, "TRUNKLINE_PRICES_FILE": "/nowhere.yaml"})
    assert wrong.value.field == "TRUNKLINE_PRICES_FILE"
