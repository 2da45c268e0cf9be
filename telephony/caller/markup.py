"""HTML and SVG as values: whatever is not markup already is escaped. Pure."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is already HTML or SVG."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element with its children, in order.

    Args:
        name: of the element.
        children: elements, or anything else as text, which is escaped; None is left out.
        attributes: underscores become hyphens and ``class_`` is ``class``; None is left out, floats keep one
            decimal, which is a tenth of a pixel.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = join(*children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if name not in _VOID else f"<{name}{written}>")


def join(*children: object) -> Markup:
    """Several pieces behind each other, escaped unless they are markup."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(str(child))
            for child in children
            if child is not None
        )
    )


_VOID = frozenset({"meta", "br", "hr"})


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
