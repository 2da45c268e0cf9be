"""Files with secrets: readable by their owner alone."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from provisioning.config import ENV_FILE
from provisioning.doctor.finding import Finding, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.doctor.patient import Patient

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def private(patient: Patient) -> list[Finding]:
    """``.env.local`` and every file that a ``*_file`` key names."""
    folder = patient.loaded.file.parent
    named = [folder / name for name in secret_files(patient.config)]
    candidates = [*named, Path.cwd() / ENV_FILE, folder / ENV_FILE, folder.parent / ENV_FILE]
    files = sorted({path.resolve() for path in candidates})
    loose = await asyncio.to_thread(lambda: [path for path in files if _is_loose(path)])
    if not loose:
        return [ok("secrets.files", "files with secrets are readable by their owner alone.")]
    names = ", ".join(map(str, loose))

    async def mend() -> str:
        for path in loose:
            await asyncio.to_thread(path.chmod, 0o600)
        return f"made private: {names}"

    text = f"others on this machine can read {names}."
    return [Finding("secrets.files", "warning", text, f"chmod 600 {names}", mend)]


def secret_files(model: BaseModel) -> Iterator[str]:
    """Names in ``*_file`` keys whose content is a secret."""
    fields = type(model).model_fields
    for name in fields:
        value: Any = getattr(model, name)
        if name.endswith("_file") and name.removesuffix("_file") in fields and isinstance(value, str):
            yield value
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from secret_files(item)


def _is_loose(path: Path) -> bool:
    try:
        return path.is_file() and bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False
