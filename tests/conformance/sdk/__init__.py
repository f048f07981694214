"""The vendors' own clients, driving the sandbox.

One module per vendor with a function `drive(sandbox, steps)`: create, list, read, update, pause, delete as far as the API has
them, then the errors. The client's own parsing has to accept every answer. They must not reach anything but the sandbox, and
must not use a client in another way than its users do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Steps:
    """What one client did, and what it could not do."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def does(self, name: str, call: Callable[[], Any], holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The client makes a call, and what it made of the answer is as it should be."""
        try:
            result = call()
        except Exception as error:  # any exception of a client is a finding, not a crash of ours
            self.failed.append(f"{name}: {type(error).__name__}: {str(error)[:600]}")
            return None
        if not holds(result):
            self.failed.append(f"{name}: not as expected: {str(result)[:600]}")
            return result
        self.done.append(name)
        return result

    def refused(self, name: str, call: Callable[[], Any], kind: type[Exception], holds: Callable[[Any], bool]) -> None:
        """The client raises the exception that it raises for the vendor's refusal, with the right content."""
        try:
            result = call()
        except kind as error:
            if holds(error):
                self.done.append(name)
            else:
                self.failed.append(f"{name}: the wrong refusal: {str(error)[:600]}")
        except Exception as error:
            self.failed.append(f"{name}: {type(error).__name__} instead of {kind.__name__}: {str(error)[:600]}")
        else:
            self.failed.append(f"{name}: was not refused: {str(result)[:300]}")
