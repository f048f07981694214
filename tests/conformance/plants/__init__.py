"""Planted mistakes: real requests of the service, each spoilt in one place, to show that every check bites.

A plant names the request that it needs and the one change to it. What is before that request in its record is replayed on a
fresh sandbox, so that parents exist; the request as it was must be accepted there, and spoilt it must be refused, by the
vendor's definitions, by the owner's demands, or by the sandbox. Must not invent a body: a made-up one would only show that
made-up mistakes are found.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import demands
from definitions import Definitions
from records import Request
from sandbox import Sandbox

Spoil = Callable[[Request], None]


@dataclass(frozen=True)
class Plant:
    """One mistake."""

    name: str
    vendor: str
    #: The sandbox's name of the method whose request is spoilt.
    method: str
    #: Changes the request in one place.
    spoil: Spoil
    #: Who has to refuse it: `definitions` (and then the sandbox too), `demands` or `sandbox`.
    by: str
    #: Which of the method's requests will do; all, unless said.
    where: Callable[[Request], bool] = lambda _: True
    #: A part of the sandbox's answer that shows that it was refused for this, and not for something else.
    because: str = ""
    #: The rule of `rules.toml` that this shows, where it is one that only prose knows.
    rule: str = ""
    #: What happens just before: something else is sent, or the world changes.
    first: Callable[[Sandbox, Request], None] | None = None


@dataclass
class Outcome:
    """What became of a plant."""

    plant: Plant
    #: Who refused it.
    caught: list[str]
    #: Why it shows nothing; empty: it does.
    failed: str = ""
    #: The first refusal's words.
    words: str = ""


class Stories:
    """The service's requests by record, for replay."""

    def __init__(self, requests: Iterable[Request]) -> None:
        """Keeps what can be replayed: records without faults."""
        self.files: dict[str, list[Request]] = {}
        for request in requests:
            self.files.setdefault(request.source.rsplit(":", 1)[0], []).append(request)
        self._ordered = sorted(self.files.values(), key=len)

    def candidates(self, plant: Plant, at_most: int = 12) -> list[tuple[list[Request], Request]]:
        """Requests that the plant can spoil, each with what came before it; short stories first."""
        found = []
        for story in self._ordered:
            before: list[Request] = []
            for request in story:
                # What the asset library was asked for is what the platforms know of its assets.
                if request.vendor not in {plant.vendor, "assets"}:
                    continue
                if request.faults or not request.from_service:
                    break
                if request.method == plant.method and succeeded(request) and plant.where(request):
                    found.append((before, request))
                    break
                before = [*before, request]
            if len(found) >= at_most:
                break
        return found


def succeeded(request: Request) -> bool:
    """Whether the vendor said yes; TikTok's no comes with a status of success."""
    if request.status is None or request.status >= 400:
        return False
    return request.vendor != "tiktok" or (request.answer or {}).get("code") == 0


class _Names:
    """The ids of a record, and what the fresh sandbox calls the same things."""

    def __init__(self) -> None:
        self.new: dict[str, str] = {}

    def learn(self, old: Any, new: Any) -> None:
        """Goes through two answers side by side."""
        if isinstance(old, dict) and isinstance(new, dict):
            for key in old.keys() & new.keys():
                self.learn(old[key], new[key])
        elif isinstance(old, list) and isinstance(new, list):
            for one, other in zip(old, new, strict=False):
                self.learn(one, other)
        elif isinstance(old, str) and isinstance(new, str) and old != new:
            ids, others = re.findall(r"\d{6,}", old), re.findall(r"\d{6,}", new)
            if len(ids) == len(others) and ids:
                self.new.update(zip(ids, others, strict=True))
            elif len(old) >= 8 and " " not in old:
                self.new[old] = new

    def translate(self, request: Request) -> Request:
        """The same request about the fresh sandbox's objects."""
        if not self.new:
            return request
        pattern = re.compile("|".join(map(re.escape, sorted(self.new, key=len, reverse=True))))

        def translated(value: Any) -> Any:
            return json.loads(pattern.sub(lambda found: self.new[found[0]], json.dumps(value)))

        copy = request.altered()
        copy.path, copy.json = translated(copy.path), translated(copy.json)
        copy.query = [tuple(pair) for pair in translated(copy.query)]
        copy.form = None if copy.form is None else [tuple(pair) for pair in translated(copy.form)]
        return copy


#: Tokens that the sandbox takes without having issued them.
_TOKENS = {"meta": "sandbox-meta-token", "tiktok": "sandbox-tiktok-token"}


def send(sandbox: Sandbox, request: Request) -> Request:
    """Sends a request with a token that its vendor's part of the sandbox takes."""
    return sandbox.send(request, _TOKENS.get(request.vendor, "sandbox-token-conformance"))


def before(change: Callable[[Request], Request]) -> Callable[[Sandbox, Request], None]:
    """What is sent just before, made of the same request: the same once more, a removal."""
    return lambda sandbox, request: send(sandbox, change(request)) and None


#: How long the sandbox takes for an answer where another request has to come meanwhile.
_LONG_MS = 1500


def meanwhile(sandbox: Sandbox, request: Request) -> None:
    """The same request by somebody else, which is still being worked on when the next one comes."""
    asked = sandbox.control("GET", "counts")
    sandbox.world(latency_ms=_LONG_MS)
    threading.Thread(target=send, args=(sandbox, request), daemon=True).start()
    # It has come in as soon as the sandbox has counted it.
    until = time.monotonic() + _LONG_MS / 1000
    while sandbox.control("GET", "counts") == asked and time.monotonic() < until:
        time.sleep(0.01)


def _is_read(request: Request) -> bool:
    if request.vendor == "assets":
        return False
    return request.http_method == "GET" or request.method.endswith((".search", ".searchStream"))


def _replay(sandbox: Sandbox, before: list[Request]) -> _Names:
    sandbox.reset()
    names = _Names()
    for request in before:
        if not _is_read(request):
            sent = send(sandbox, names.translate(request))
            names.learn(request.answer, sent.answer)
    return names


def _said(request: Request) -> str:
    return json.dumps(request.answer)[:2000]


def grow(plant: Plant, stories: Stories, sandbox: Sandbox, definitions: Definitions) -> Outcome:
    """Plants one mistake, and sees who finds it."""
    candidates = stories.candidates(plant)
    if not candidates:
        return Outcome(plant, [], "no request of the service to plant it in")
    why = ""
    for before, original in candidates:
        names = _replay(sandbox, before)
        translated = names.translate(original)
        spoilt = translated.altered()
        plant.spoil(spoilt)
        if plant.first is None and (spoilt.json, spoilt.form, spoilt.query, spoilt.path) == (
            translated.json,
            translated.form,
            translated.query,
            translated.path,
        ):
            why = "the mistake could not be made in it"
            continue
        caught, words = [], []
        if found := definitions.request(spoilt).problems:
            caught.append("definitions")
            words += found
        if found := demands.problems(spoilt):
            caught.append("demands")
            words += found
        if plant.first is not None:
            plant.first(sandbox, translated.altered())
        refused = send(sandbox, spoilt)
        if not succeeded(refused) and plant.because in _said(refused):
            caught.append("sandbox")
            words.append(f"the sandbox answers {plant.because or refused.status}")
        elif not succeeded(refused) and plant.by == "sandbox":
            why = f"refused for another reason: {_said(refused)[:500]}"
            continue
        sound = _sound(translated, _replay(sandbox, before), original, sandbox, definitions)
        if sound:
            why = sound
            continue
        # What a definition refuses, the vendor refuses, and so must the sandbox.
        needed = {plant.by} | ({"sandbox"} if plant.by == "definitions" else set())
        if missing := needed - set(caught):
            return Outcome(plant, caught, f"not refused by the {' and the '.join(sorted(missing))}: {_said(refused)[:300]}")
        return Outcome(plant, caught, "", words[0] if words else "")
    return Outcome(plant, [], why)


def _sound(translated: Request, names: _Names, original: Request, sandbox: Sandbox, definitions: Definitions) -> str:
    """Why the request, unspoilt, would be refused too; empty: it is accepted by all three."""
    if found := definitions.request(translated).problems + demands.problems(translated):
        return f"it is refused as it was: {found[0]}"
    sent = send(sandbox, names.translate(original))
    return "" if succeeded(sent) else f"it is refused as it was: {_said(sent)[:400]}"
