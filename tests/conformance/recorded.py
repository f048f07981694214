"""The service's requests, as the integration tests recorded them, against the vendors' definitions.

Every request of the service is checked and counted: those that a fault answered too (only their answers are not the sandbox's
own). None is let through: what the service sends is never wrong on purpose.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import demands
from definitions import Definitions
from definitions.vendors import VENDORS, WITHOUT
from records import Request
from report import Report

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parents[1]


@dataclass
class _Tally:
    """One method's figures."""

    bodies: int = 0
    refused: int = 0
    answers: int = 0
    wrong: int = 0


@dataclass
class _Findings:
    """A problem once, however often it occurs, with one place to look at."""

    times: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, source: str) -> None:
        self.times[what] += 1
        self.example.setdefault(what, source)


def check(requests: list[Request], report: Report) -> None:
    """Checks them all and prints vendor × method × bodies × refusals."""
    report.title("what the service sent in the integration tests, against the vendors' definitions")
    tallies: dict[str, dict[str, _Tally]] = {vendor: defaultdict(_Tally) for vendor in VENDORS}
    findings, others = _Findings(), Counter[str]()
    for request in requests:
        if not request.from_service:
            others[f"{request.vendor}: not sent by the service"] += 1
        elif request.vendor in WITHOUT:
            others[f"{request.vendor}: {WITHOUT[request.vendor]}"] += 1
        elif request.vendor not in VENDORS:
            findings.add(f"{request.vendor}: there is no definition of this vendor", request.source)
        else:
            _one(request, VENDORS[request.vendor], tallies[request.vendor], findings)
    _print(tallies, report)
    for what, number in sorted(others.items()):
        print(f"  not checked: {number} × {what}")
    for what, number in findings.times.items():
        report.bad(f"{what} ({number} times, e.g. {findings.example[what]})")
    _coverage(requests, tallies, report)


def _one(request: Request, definitions: Definitions, tallies: dict[str, _Tally], findings: _Findings) -> None:
    verdict = definitions.request(request)
    problems = [*verdict.problems, *demands.problems(request)]
    tally = tallies[verdict.method]
    tally.bodies += 1
    where = f"{request.vendor} {verdict.method}"
    if problems:
        tally.refused += 1
        for problem in problems:
            findings.add(f"{where}: {problem}", request.source)
    if not request.faults and request.status is not None:
        tally.answers += 1
        wrong = definitions.answer(request)
        tally.wrong += bool(wrong)
        for problem in wrong:
            findings.add(f"{where}, the sandbox's answer: {problem}", request.source)


def _print(tallies: dict[str, dict[str, _Tally]], report: Report) -> None:
    rows = []
    for vendor, methods in tallies.items():
        for method, tally in sorted(methods.items()):
            rows.append(
                (vendor, method, tally.bodies, tally.refused, tally.answers, tally.wrong),
            )
            report.good(tally.bodies - tally.refused + tally.answers - tally.wrong)
        total = [sum(getattr(t, name) for t in methods.values()) for name in _Tally.__dataclass_fields__]
        bodies, refused, answers, wrong = total
        rows.append((vendor, "all", bodies, refused, answers, wrong))
        if not bodies:
            report.bad(f"{vendor}: the service sent it nothing")
    report.table(("vendor", "method", "bodies", "refused", "answers", "wrong"), rows)


def _coverage(requests: list[Request], tallies: dict[str, dict[str, _Tally]], report: Report) -> None:
    """Whether everything that the adapters can call was called."""
    known = tomllib.loads((_HERE / "methods.toml").read_text(encoding="utf-8"))
    for vendor, methods in tallies.items():
        entry = known.get(vendor, {})
        listed = set(entry.get("methods", []))
        for file, more in entry.get("of", {}).items():
            listed |= set(more) if (_REPOSITORY / file).exists() else set()
        for method in sorted(listed - methods.keys()):
            report.bad(f"{vendor} {method}: stands in methods.toml and was never called")
        for method in sorted(methods.keys() - listed):
            report.bad(f"{vendor} {method}: was called and does not stand in methods.toml")
        report.good(len(listed & methods.keys()))
        paths = {r.path for r in requests if r.vendor == vendor and r.from_service}
        for piece, place in _pieces(entry.get("source", {})):
            pattern = re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(piece)))
            if any(pattern.search(path) for path in paths):
                report.good()
            else:
                report.bad(f"{vendor} {piece}: {place} can call it, and no test makes it do so")


def _pieces(source: dict[str, Any]) -> list[tuple[str, str]]:
    """Pieces of paths in the adapters' code (its tests left out), with their files."""
    found = []
    for folder in source.get("folders", []):
        place = _REPOSITORY / str(folder)
        for path in [place] if place.is_file() else sorted(place.rglob("*.rs")):
            if path.name in {"tests.rs", *source.get("skip", [])} or "tests" in path.relative_to(_REPOSITORY / "src").parts:
                continue
            code = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests {")[0]
            code = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("//"))
            relative = str(path.relative_to(_REPOSITORY))
            found += [(piece, relative) for piece in re.findall(str(source["pattern"]), code)]
    return sorted(set(found))
