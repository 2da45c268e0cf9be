"""Which version of the product this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata


def version() -> str:
    """The installed package's version; ``0`` when it runs from a folder that was never installed."""
    try:
        return metadata("trunkline")["Version"]
    except PackageNotFoundError:
        return "0"
