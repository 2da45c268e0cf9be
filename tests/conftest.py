"""What every test run has: the look through all its logs at the end."""

from __future__ import annotations

pytest_plugins = ["tests.log_scan", "pytester"]
