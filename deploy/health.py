#!/usr/bin/env python3
"""Exit 0 if a local HTTP address answers 2xx within 3 s, otherwise 1: the images' health check."""

import http.client
import sys
from urllib.parse import urlsplit


def main(url: str) -> int:
    """Ask once; returns the exit code."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=3)
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1
    finally:
        connection.close()
    if not 200 <= status < 300:
        sys.stderr.write(f"{url}: {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
