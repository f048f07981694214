"""What the integration tests left behind: every request that reached the sandbox, with its answer.

Reads the JSON Lines that `src/sandbox/record.rs` writes. Must not judge a request, and must not drop one: what is not the
service's own and what a fault answered are told apart here and counted by the caller.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: How the service names itself (`src/outbound/mod.rs`). Everything else that speaks to a sandbox is a test.
SERVICE = "campaign-execution/"
#: What stands in the place of a credential.
REDACTED = "<redacted>"


@dataclass
class Request:
    """One request as it arrived, credentials taken out."""

    vendor: str
    #: The sandbox's own name of the method: ``meta.campaigns.create``.
    method: str
    http_method: str
    #: From the version segment on, without the sandbox's mount.
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    #: The JSON body, where it is one.
    json: Any = None
    #: The form's fields, where it is one.
    form: list[tuple[str, str]] | None = None
    #: The parts of a multipart body, files by name and size.
    parts: list[dict[str, Any]] | None = None
    #: There is a body, and it is none of the three.
    opaque: bool = False
    status: int | None = None
    answer: Any = None
    faults: list[str] = field(default_factory=list)
    #: File and line, for a person who looks into it.
    source: str = ""

    @property
    def from_service(self) -> bool:
        """Whether the service sent it, and not a test."""
        return self.headers.get("user-agent", "").startswith(SERVICE)

    def altered(self) -> Request:
        """A copy that can be spoilt."""
        return copy.deepcopy(self)


def _request(row: dict[str, Any], source: str) -> Request:
    body = row["body"] or {}
    answer = row["answer"] or {}
    return Request(
        vendor=row["vendor"],
        method=row["method"],
        http_method=row["http_method"],
        path=row["path"],
        query=[(name, value) for name, value in row["query"]],
        headers=row["headers"],
        json=body.get("json"),
        form=[(name, value) for name, value in body["form"]] if "form" in body else None,
        parts=body.get("parts"),
        opaque="bytes" in body,
        status=row["status"],
        answer=answer.get("json"),
        faults=row["faults"],
        source=source,
    )


def read(folder: Path) -> Iterator[Request]:
    """Every request in the folder, file by file, in order; a folder without a record is an error."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no record of requests: run `make it`")
    for path in files:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _request(json.loads(line), f"{path.name}:{number}")
