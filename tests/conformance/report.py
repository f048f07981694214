"""What is printed for a person, and what the exit code is made of.

Must not decide what is right: it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts of what held and what did not, printed as it goes."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        """Begins a part."""
        print(f"\n== {text}", flush=True)

    def good(self, number: int = 1) -> None:
        """So many checks held."""
        self.passed += number

    def bad(self, what: str) -> None:
        """A check did not hold."""
        self.failures.append(what)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Prints a table; numbers stand on the right."""
        cells = [[str(cell) for cell in row] for row in [head, *rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [all(isinstance(row[n], int) for row in rows) for n in range(len(head))]
        for row in cells:
            padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
            print("  " + "  ".join(padded).rstrip())

    def close(self) -> int:
        """Prints every failure and the sum, and gives the exit code."""
        if self.failures:
            self.title("what does not hold")
            for failure in self.failures[:200]:
                print(f"  {failure}")
            if len(self.failures) > 200:
                print(f"  and {len(self.failures) - 200} more")
        print(f"\nconformance: {self.passed} passed, {len(self.failures)} failed", flush=True)
        return 1 if self.failures else 0
