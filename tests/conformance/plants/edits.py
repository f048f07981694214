"""Changes to JSON bodies, by a dotted path: `creatives.0.landing_page_url`.

Must not know any vendor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plants import Spoil
from records import Request


def _parent(body: Any, path: str) -> tuple[Any, Any]:
    *steps, last = path.split(".")
    for step in steps:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body, int(last) if isinstance(body, list) else last


def put(path: str, value: Any) -> Spoil:
    """Sets a field, or adds it."""

    def spoil(request: Request) -> None:
        parent, key = _parent(request.json, path)
        parent[key] = value

    return spoil


def drop(path: str) -> Spoil:
    """Leaves a field out."""

    def spoil(request: Request) -> None:
        parent, key = _parent(request.json, path)
        parent.pop(key, None)

    return spoil


def rename(path: str, to: str) -> Spoil:
    """Gives a field another name."""

    def spoil(request: Request) -> None:
        parent, key = _parent(request.json, path)
        parent[to] = parent.pop(key)

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """Several changes that are one mistake."""

    def spoil(request: Request) -> None:
        for one in spoils:
            one(request)

    return spoil


def query(name: str, value: str | None) -> Spoil:
    """Sets a parameter of the query string, or leaves it out."""

    def spoil(request: Request) -> None:
        request.query = [(n, v) for n, v in request.query if n != name]
        if value is not None:
            request.query.append((name, value))

    return spoil


def holds(path: str, value: Any = None) -> Callable[[Request], bool]:
    """Whether a body has a field (with a value)."""

    def check(request: Request) -> bool:
        try:
            parent, key = _parent(request.json, path)
            found = parent[key]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
        return value is None or found == value

    return check
