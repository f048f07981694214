"""The vendors' own definitions, and how a request is held against them.

One module per vendor, each with a class that has `request` and `answer`. They read what the vendor's package in this
environment says (protobuf descriptors, discovery documents, parameter tables, models); nothing of it is copied here. They
must not know the service: what a definition does not say (prose rules) is the sandbox's to enforce.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from records import Request


@dataclass
class Verdict:
    """What the vendor's definitions say about one request."""

    #: The vendor's own name of the method that was called.
    method: str
    #: Why it would be refused, each with the place; empty: it is accepted.
    problems: list[str] = field(default_factory=list)
    #: Whether there was a body (or query) of ours to check.
    bodies: int = 1


class Definitions(Protocol):
    """A vendor's definitions."""

    #: As the sandbox calls the vendor.
    vendor: str

    def request(self, request: Request) -> Verdict:
        """Holds a request against the definition of its method; a path that is no method is a problem too."""

    def answer(self, request: Request) -> list[str]:
        """Holds the sandbox's answer against what the vendor's method returns."""
