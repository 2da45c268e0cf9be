"""``python -m telephony.agent``. Thin: every job process imports the main module anew."""

import sys

if __name__ == "__main__":
    from telephony.agent.command import main

    sys.exit(main())
