"""``python -m provisioning``: the same commands as ``trunkline provision``."""

from provisioning.cli import app

app(prog_name="provision")
