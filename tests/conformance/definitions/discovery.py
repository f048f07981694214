"""Google's REST APIs with a discovery document: DV360, GA4 Admin and Data, Merchant.

The documents lie in `google-api-python-client`. A method is found by verb and path; its parameters, its body and its answer are
held against the document: unknown names, wrong types and enums, int64 that is no digits, fields the server alone sets, fields
whose description says that they are required. Must not know what only prose says (dates in the future, flags for the EU).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient

from definitions import Verdict
from records import Request

_FOLDER = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
Schema = dict[str, Any]


def text(name: str) -> str:
    """A document as it lies in the package: `displayvideo.v4`."""
    return (_FOLDER / f"{name}.json").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Method:
    """One method of one document."""

    id: str
    verb: str
    path: re.Pattern[str]
    #: Query parameters: the method's and the document's own.
    parameters: dict[str, Schema]
    body: str | None
    answer: str | None
    schemas: dict[str, Schema]
    #: Takes a file beside the body.
    media: bool


def _pattern(path: str) -> re.Pattern[str]:
    escaped = re.sub(r"\\\{[^}]*\\\}", "[^/:]+", re.escape(path))
    return re.compile(f"/(?:upload/)?{escaped}")


def _collect(resource: Schema, document: Schema) -> list[Method]:
    found = []
    for method in resource.get("methods", {}).values():
        own = {k: v for k, v in method.get("parameters", {}).items() if v.get("location") == "query"}
        found.append(
            Method(
                id=method["id"],
                verb=method["httpMethod"],
                path=_pattern(method.get("flatPath", method["path"])),
                parameters={**document["parameters"], **own},
                body=method.get("request", {}).get("$ref"),
                answer=method.get("response", {}).get("$ref"),
                schemas=document["schemas"],
                media=method.get("supportsMediaUpload", False),
            )
        )
    for inner in resource.get("resources", {}).values():
        found += _collect(inner, document)
    return found


@cache
def methods(name: str) -> tuple[Method, ...]:
    """Every method of a document."""
    document = json.loads(text(name))
    return tuple(_collect(document, document))


class Reader:
    """Reads one value against a schema; collects what does not fit.

    `sent` is true for what a client sends: there, read-only fields are refused and required ones are missed, unless it is
    `partial` (a patch, where the mask says what counts).
    """

    def __init__(self, schemas: dict[str, Schema], *, sent: bool, partial: bool = False) -> None:
        self.schemas, self.sent, self.partial = schemas, sent, partial
        self.problems: list[str] = []

    def refuse(self, place: str, what: str) -> None:
        """Remembers what does not fit, and where."""
        self.problems.append(f"{place or 'body'}: {what}")

    def value(self, place: str, schema: Schema, value: Any) -> None:
        """Any value."""
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type")
        if kind == "object":
            self.object(place, schema, value)
        elif kind == "array":
            if not isinstance(value, list):
                self.refuse(place, f"no list: {value!r}")
                return
            for n, item in enumerate(value):
                self.value(f"{place}[{n}]", schema["items"], item)
        elif kind == "string":
            self.string(place, schema, value)
        elif kind == "boolean":
            if not isinstance(value, bool):
                self.refuse(place, f"no boolean: {value!r}")
        elif kind == "integer":
            if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**32:
                self.refuse(place, f"no integer of 32 bits: {value!r}")
        elif kind == "number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
            self.refuse(place, f"no number: {value!r}")

    def object(self, place: str, schema: Schema, value: Any) -> None:
        """An object: no unknown key, no key that the server sets, none missing that the client must send."""
        if not isinstance(value, dict):
            self.refuse(place, f"no object: {value!r}")
            return
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        for key, inner in value.items():
            here = f"{place}.{key}".lstrip(".")
            if key in properties:
                if self.sent and properties[key].get("readOnly"):
                    self.refuse(here, "only the server sets this")
                self.value(here, properties[key], inner)
            elif rest is not None:
                self.value(here, rest, inner)
            else:
                self.refuse(here, f"{schema.get('id', 'the object')} has no such field")
        if self.sent and not self.partial:
            for key, inner in properties.items():
                if key not in value and str(inner.get("description", "")).startswith("Required."):
                    self.refuse(f"{place}.{key}".lstrip("."), "required")

    def string(self, place: str, schema: Schema, value: Any) -> None:
        """A text, an enum's value, or a number too large for JSON's own."""
        if not isinstance(value, str):
            self.refuse(place, f"no string: {value!r}")
        elif "enum" in schema and value not in schema["enum"]:
            self.refuse(place, f"{value!r} is none of its values")
        elif schema.get("format") in {"int64", "uint64"} and not re.fullmatch(r"-?\d+", value):
            self.refuse(place, f"no digits: {value!r}")
        elif schema.get("format") == "google-datetime" and not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
            self.refuse(place, f"no time as RFC 3339 has it: {value!r}")


class Discovery:
    """The definitions of one vendor with discovery documents."""

    def __init__(self, vendor: str, *documents: str) -> None:
        self.vendor = vendor
        self.documents = documents

    def method(self, request: Request) -> Method | None:
        """The method that a request calls."""
        for name in self.documents:
            for method in methods(name):
                here = method.verb == request.http_method and method.path.fullmatch(request.path)
                if here and (method.media or not request.path.startswith("/upload/")):
                    return method
        return None

    def request(self, request: Request) -> Verdict:
        """Holds path, query, body and update mask against the document."""
        method = self.method(request)
        if method is None:
            return Verdict(f"{request.http_method} {request.path}", ["no method of the API has this verb and path"])
        verdict = Verdict(method.id)
        for name, value in request.query:
            schema = method.parameters.get(name)
            if schema is None:
                verdict.problems.append(f"query: {method.id} has no parameter {name}")
            else:
                verdict.problems += _parameter(name, schema, value)
        if method.media and (request.parts is not None or request.opaque):
            verdict.problems += self._uploaded(method, request)
            return verdict
        if method.body is None:
            if request.json is not None or request.form:
                verdict.problems.append("a body where the method takes none")
            return verdict
        schema = method.schemas[method.body]
        body = request.json
        if body is None and not request.opaque and request.form is None:
            body = {}
        reader = Reader(method.schemas, sent=True, partial=method.verb == "PATCH")
        reader.value("", schema, body)
        verdict.problems += reader.problems
        if method.verb == "PATCH":
            verdict.problems += _mask(method, dict(request.query).get("updateMask"), body)
        return verdict

    def _uploaded(self, method: Method, request: Request) -> list[str]:
        """An upload has its file, and beside it the method's body as JSON."""
        parts = request.parts or []
        problems = [] if request.opaque or any("bytes" in part for part in parts) else ["no part of the upload is a file"]
        for part in parts:
            text_of_part = str(part.get("text", ""))
            if method.body is not None and text_of_part.lstrip().startswith("{"):
                reader = Reader(method.schemas, sent=True)
                reader.value("", method.schemas[method.body], json.loads(text_of_part))
                problems += reader.problems
        return problems

    def answer(self, request: Request) -> list[str]:
        """Holds an answer against the method's response schema, or against the shape of Google's errors."""
        method = self.method(request)
        if method is None or request.status is None:
            return []
        if request.status >= 400:
            return error_problems(request.answer)
        if method.answer is None:
            return []
        reader = Reader(method.schemas, sent=False)
        reader.value("", method.schemas[method.answer], request.answer)
        return reader.problems


def _parameter(name: str, schema: Schema, value: str) -> list[str]:
    kind = schema.get("type")
    if "enum" in schema and value not in schema["enum"]:
        return [f"query {name}: {value!r} is none of its values"]
    if kind == "integer" and not re.fullmatch(r"-?\d+", value):
        return [f"query {name}: no integer: {value!r}"]
    if kind == "boolean" and value not in {"true", "false"}:
        return [f"query {name}: no boolean: {value!r}"]
    return []


def _mask(method: Method, mask: str | None, body: Any) -> list[str]:
    """A patch has a mask; it names fields that exist and may be set, and everything that is sent."""
    if not mask:
        return ["updateMask: missing"] if "updateMask" in method.parameters else []
    problems, tops = [], set()
    for path in mask.split(","):
        schema: Schema = method.schemas[method.body or ""]
        for n, part in enumerate(path.split(".")):
            schema = method.schemas[schema["$ref"]] if "$ref" in schema else schema
            inner = schema.get("properties", {}).get(part)
            if inner is None:
                problems.append(f"updateMask: there is no {path}")
                break
            if inner.get("readOnly"):
                problems.append(f"updateMask: {path} is set by the server alone")
            if n == 0:
                tops.add(part)
            schema = inner
    if isinstance(body, dict):
        problems += [f"{key}: sent but not in the mask, so it would be ignored" for key in body if key not in tops]
    return problems


def error_problems(answer: Any) -> list[str]:
    """Whether an error body is a `google.rpc.Status` as Google's REST APIs wrap it."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or set(error) - {"code", "message", "status", "details", "errors"}:
        return [f"not an error as Google sends it: {str(answer)[:200]}"]
    kinds = {"code": int, "message": str, "status": str}
    return [f"error.{name} is no {kind.__name__}" for name, kind in kinds.items() if not isinstance(error.get(name), kind)]
