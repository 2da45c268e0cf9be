"""The pytest plugin of the contract suite: which bridge it runs against.

    pytest tests/contract                                the bridge of this repository, on both audio paths
    pytest tests/contract --livekit-sip PATH             a livekit-sip executable in its place

Against a livekit-sip, tests of its known faults may fail, and those of what only the bridge has are left out.
"""

from __future__ import annotations

import os

import pytest

from tests.contract.faults import FAULTS

FAULT, OURS, SLOW = "livekit_sip_fault", "ours_only", "whole_contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the contract of a SIP bridge")
    group.addoption(
        "--livekit-sip", metavar="PATH", help="run the contract suite against this livekit-sip executable"
    )
    group.addoption(
        "--whole-contract", action="store_true", help="also what takes half a minute: SIP's own time-outs"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{FAULT}(name): a known fault of livekit-sip, see faults.py")
    config.addinivalue_line("markers", f"{OURS}: behaviour that livekit-sip does not have, by design")
    config.addinivalue_line("markers", f"{SLOW}: takes half a minute; with --whole-contract or --livekit-sip")
    path = config.getoption("--livekit-sip")
    if path and not os.access(path, os.X_OK):
        raise pytest.UsageError(f"--livekit-sip {path}: no executable is there.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    against_livekit_sip = bool(config.getoption("--livekit-sip"))
    takes_its_time = against_livekit_sip or bool(config.getoption("--whole-contract"))
    for item in items:
        if item.get_closest_marker(SLOW) and not takes_its_time:
            item.add_marker(pytest.mark.skip(reason="takes half a minute: give --whole-contract"))
        if not against_livekit_sip:
            continue
        if item.get_closest_marker(OURS):
            item.add_marker(pytest.mark.skip(reason="livekit-sip does not have it"))
        elif marker := item.get_closest_marker(FAULT):
            fault = FAULTS[marker.args[0]]
            # A later release may have mended it; then it is shown as passed in spite of all.
            item.add_marker(pytest.mark.xfail(reason=f"{fault.effect} ({fault.source})", strict=False))
