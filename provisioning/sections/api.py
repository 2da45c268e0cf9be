"""``api``: the record of calls over HTTP."""

from __future__ import annotations

from pydantic import Field, SecretStr

from provisioning.sections.section import Duration, Host, Section


class ApiSection(Section):
    """Where the api listens and what it keeps. Environment variables of the api go before."""

    host: Host = "127.0.0.1"
    """Address that it is bound to; a proxy ends TLS before it. Default 127.0.0.1."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0: any free port. Default 8080."""
    database_url: SecretStr | None = None
    """postgresql://… with its password. Default: SQLite in the data folder."""
    database_url_file: str | None = None
    """A file that holds it, in place of database_url."""
    keep_calls: Duration | None = Field(default=None, ge=3600)
    """Calls are deleted after this. Default: kept."""
    prices_file: str | None = None
    """YAML file of prices, for what calls cost. Default: costs are not known."""
