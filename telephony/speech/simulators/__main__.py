"""``python -m telephony.speech.simulators``: as ``trunkline simulate``, without the rest of the command."""

from telephony.speech.simulators.cli import app

if __name__ == "__main__":
    app(prog_name="trunkline simulate")
