"""Where recordings are kept: a folder, or an S3-compatible bucket, behind one interface.

The library's blocking calls run in threads of their own, so that a slow bucket holds up nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from telephony.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from obstore.store import S3Config

_CHUNK = 256 * 1024
_THREADS = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was stored: its size in bytes and SHA-256 in hexadecimal."""

    size: int
    sha256: str


class RecordingFiles:
    """One store.

    Args:
        url: a folder, or ``s3://bucket/prefix``.
        options: for a bucket: region, endpoint, access_key_id, secret_access_key.
    """

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="recordings")
        self._store = _open(url, dict(options or {}))

    async def keep(self, source: Path, location: str) -> Kept:
        """Copy a file into the store, whole or not at all, and read its size back.

        Raises:
            FileNotFoundError: there is no such file.
            StoreError: the store did not take it.
        """
        return await self._run(lambda: self._keep(source, location))

    def _keep(self, source: Path, location: str) -> Kept:
        digest = hashlib.sha256()
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        obstore.put(self._store, location, source)
        size = int(obstore.head(self._store, location)["size"])
        if size != source.stat().st_size:
            raise StoreError("The recording in the store is not as long as its source.", retryable=True)
        return Kept(size, digest.hexdigest())

    async def delete(self, location: str) -> None:
        """Remove a file; one that is gone already is no error.

        Raises:
            StoreError: the store did not answer; the file may still be there.
        """

        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, location)
            # Stores answer a deletion in many ways; what counts is that the file can be found no more.
            if self._is_there(location):
                raise StoreError("The store did not delete the recording.", retryable=True)

        await self._run(remove)

    async def exists(self, location: str) -> bool:
        """Whether a file is there."""
        return await self._run(lambda: self._is_there(location))

    def _is_there(self, location: str) -> bool:
        try:
            obstore.head(self._store, location)
        except FileNotFoundError:
            return False
        return True

    async def read(self, location: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to but without ``end``, in pieces.

        Raises:
            FileNotFoundError: there is no such file.
            StoreError: the store did not answer.
        """
        for place in range(start, end, _CHUNK):
            yield await self._run(
                lambda place=place: bytes(  # type: ignore[misc]
                    obstore.get_range(self._store, location, start=place, end=min(end, place + _CHUNK))
                )
            )

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise StoreError(f"The store of recordings failed: {reason}.", retryable=True) from error

    def close(self) -> None:
        """Let the threads go; what is under way is finished by them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _open(url: str, options: dict[str, str]) -> LocalStore | S3Store:
    if not url.startswith("s3://"):
        folder = Path(url)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(folder.resolve())
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(
            "The URL names no bucket.", field="recording.storage", fix="Write s3://bucket/prefix."
        )
    plain = options.get("endpoint", "").startswith("http://")
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=cast("S3Config", {**options, "virtual_hosted_style_request": False}),
        client_options={"allow_http": plain, "timeout": "30s", "connect_timeout": "5s"},
        retry_config={"max_retries": 2},
    )
