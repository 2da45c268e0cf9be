"""One private PostgreSQL for all tests of a run, on a Unix socket in a folder of its own."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

_START_S = 30.0
_names = itertools.count()


def binary(name: str) -> str | None:
    """The path of one of PostgreSQL's programs, the newest version's; None where it is not installed."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    return str(installed[-1]) if installed else shutil.which(name)


class Cluster:
    """A running server that trusts everybody who can reach its folder.

    ``durable``: it syncs to disk as a real one does; tests need not wait for that.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trunkline-pg-", dir="/tmp"))
        self._as_postgres: list[str] = []
        if os.geteuid() == 0:
            # initdb and postgres refuse to run as root.
            shutil.chown(self.folder, "postgres", "postgres")
            self._as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = self.folder / "data"
        initdb = [*self._as_postgres, binary("initdb") or "initdb", "-D", str(data)]
        subprocess.run(
            [*initdb, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        settings = {
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "",
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
            "shared_buffers": "64MB",
            "max_connections": "80",
            "max_wal_size": "256MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [*self._parented(), binary("postgres") or "postgres", "-D", str(data), *options],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        atexit.register(self.stop)
        self._wait()

    def _parented(self) -> list[str]:
        # The server goes with us even when we are killed.
        return [*(self._as_postgres or ["setpriv"]), "--pdeathsig=INT"] if shutil.which("setpriv") else []

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while self.psql("SELECT 1", check=False) != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def psql(self, statement: str, *, check: bool = True) -> int:
        """Run one statement as the superuser."""
        command = [binary("psql") or "psql", "-h", str(self.folder), "-U", "postgres", "-d", "postgres"]
        done = subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1", "-qc", statement], check=check, capture_output=True
        )
        return done.returncode

    def limit_files(self, size: int | None) -> None:
        """Let no file of the server grow beyond so many bytes, as on a full disk; None lifts the limit.

        Its write-ahead log lies in files of 16 MiB, and without that it stops: allow at least as much.
        """
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        soft = "unlimited" if size is None else str(size)
        for each in (str(pid), *children):
            # One that has ended meanwhile needs no limit.
            subprocess.run(
                [*self._as_postgres, "prlimit", "--pid", each, f"--fsize={soft}:"],
                check=False,
                capture_output=True,
            )

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def new_database(self, template: str = "template1") -> str:
        """A fresh database's name."""
        name = f"t{next(_names)}"
        self.psql(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def cluster() -> Cluster:
    """The run's server; the test is skipped, or in CI failed, where PostgreSQL is not installed."""
    if binary("initdb") is None or binary("psql") is None:
        missing = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return Cluster()
