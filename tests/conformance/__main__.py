"""`make conformance`: the sandbox and the service, judged by the vendors' own software.

1. The vendors' clients drive the sandbox (`sdk/`), and every answer is held against their definitions too.
2. Every request that the service sent in the integration tests is held against the vendors' definitions (`definitions/`) and
   against what the owner demands (`demands.py`).
3. Mistakes are planted in real requests (`plants/`), and each must be refused.
4. Rules that only prose knows (`rules.toml`) are each shown to be enforced by the sandbox.

Usage: python tests/conformance FOLDER-WITH-RECORDS
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
import tomllib
from pathlib import Path

# Before any client reads them: nothing here leaves the machine.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"

import recorded
import records
from definitions.vendors import JUDGED, VENDORS, sandbox_code
from plants import Outcome, Stories, grow
from report import Report
from sandbox import Sandbox
from sdk import Steps

_HERE = Path(__file__).resolve().parent


def clients(report: Report) -> None:
    """Lets every vendor's client drive a sandbox of its own."""
    report.title("the vendors' clients drive the sandbox")
    rows = []
    for name, what in (vendor.client for vendor in JUDGED if vendor.client):
        steps = Steps()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            with Sandbox(Path(folder)) as sandbox:
                try:
                    importlib.import_module(f"sdk.{name}").drive(sandbox, steps)
                except Exception as error:  # the other clients are asked all the same
                    steps.failed.append(f"gave up: {type(error).__name__}: {error}")
            answers = [r for r in records.read(Path(folder)) if r.vendor in VENDORS]
        wrong = [f"{r.method}: {problem}" for r in answers for problem in VENDORS[r.vendor].answer(r)]
        rows.append((what, len(steps.done), len(steps.failed), len(answers), len(wrong), f"{time.monotonic() - began:.1f} s"))
        report.good(len(steps.done) + len(answers) - len(wrong))
        for failure in steps.failed + wrong:
            report.bad(f"{what}: {failure}")
    report.table(("client", "steps", "failed", "answers", "wrong", "time"), rows)


def plants(requests: list[records.Request], report: Report) -> list[Outcome]:
    """Plants every mistake, and prints who caught it."""
    report.title("planted mistakes, and who refused them")
    stories, outcomes = Stories(requests), []
    with Sandbox() as sandbox:
        for name in (vendor.plants for vendor in JUDGED if vendor.plants):
            for plant in importlib.import_module(f"plants.{name}").PLANTS:
                outcome = grow(plant, stories, sandbox, VENDORS[plant.vendor])
                outcomes.append(outcome)
                if outcome.failed:
                    report.bad(f"planted in {plant.vendor} {plant.method}, {plant.name}: {outcome.failed}")
                else:
                    report.good()
    rows = [(o.plant.vendor, o.plant.name, ", ".join(o.caught) or "NOBODY", (o.failed or o.words)[:100]) for o in outcomes]
    report.table(("vendor", "mistake", "refused by", "with"), rows)
    return outcomes


def rules(outcomes: list[Outcome], report: Report) -> None:
    """Every rule that only prose knows, and that a plant is to show, has one that the sandbox refused.

    Those with a `test` are shown by one in Rust, and `cargo test --test it tidy` sees to it that it is there.
    """
    report.title("rules that no definition knows, enforced by the sandbox")
    shown = {o.plant.rule for o in outcomes if o.plant.rule and "sandbox" in o.caught and not o.failed}
    listed = set()
    every = tomllib.loads((_HERE / "rules.toml").read_text(encoding="utf-8"))
    for vendor in (vendor for vendor in JUDGED if vendor.rules):
        code, table, tested = sandbox_code(vendor), every[vendor.rules], 0
        for name, rule in table.items():
            where = f"{vendor.rules}.{name}"
            listed.add(where)
            if "test" in rule:
                tested += 1
            elif where not in shown:
                report.bad(f"rule {where} ({rule['says']}): no planted mistake shows that the sandbox enforces it")
            elif rule["source"] not in code:
                report.bad(f"rule {where}: the sandbox does not name its source {rule['source']}")
            else:
                report.good()
        print(f"  {vendor.rules}: {len(table)} rules, {len(table) - tested} of them broken here and {tested} in Rust")
    for unlisted in sorted({o.plant.rule for o in outcomes if o.plant.rule} - listed):
        report.bad(f"rule {unlisted}: planted, and not listed in rules.toml")


def main(folder: Path) -> int:
    """Runs all four parts; each one's failures are told, not only the first's."""
    report = Report()
    clients(report)
    requests = list(records.read(folder))
    recorded.check(requests, report)
    rules(plants(requests, report), report)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
