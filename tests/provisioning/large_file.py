"""Operator's files of any size, as text: the same size gives the same file."""

from __future__ import annotations


def number(index: int) -> str:
    """The number of a trunk of the large file."""
    return f"+1555{index:07d}"


def large_file(
    size: int,
    *,
    url: str,
    api_key: str,
    api_secret: str,
    redis: str,
    at: dict[int, int] | None = None,
) -> str:
    """As many trunks with one number each and as many rules, every rule for one trunk.

    Args:
        size: of each kind.
        url: livekit-server's URL.
        api_key: its key.
        api_secret: the key's secret.
        redis: host:port.
        at: numbers that another trunk has: index of the number to index of the trunk.
    """
    numbers: dict[int, list[str]] = {n: [] for n in range(size)}
    for n in range(size):
        numbers[(at or {}).get(n, n)].append(number(n))
    head = [
        "livekit:",
        f"  url: {url}",
        f"  api_key: {api_key}",
        f"  api_secret: {api_secret}",
        f"redis: {{address: '{redis}'}}",
    ]
    # A trunk that loses its one number keeps another that nobody dials: without any it would take every call.
    trunks = [
        f"  - name: t{n}\n    inbound_only: true\n"
        f"    numbers: [{', '.join(repr(one) for one in [*numbers[n], f'+1777{n:07d}'])}]\n"
        '    allowed_addresses: ["127.0.0.0/8", "192.0.2.0/24"]'
        for n in range(size)
    ]
    rules = [
        f"    - name: r{n}\n      trunks: [t{n}]\n"
        f"      rule: {{dispatch_rule_callee: {{room_prefix: r{n}, randomize: true}}}}\n"
        "      assistant: reception"
        for n in range(size)
    ]
    return "\n".join([*head, "sip_trunks:", *trunks, "routing:", "  inbound_rules:", *rules, ""])
