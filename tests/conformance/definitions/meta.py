"""Meta v26: the parameter tables, field names and enums of the `facebook-business` package.

The SDK's methods keep what an edge takes in tables inside themselves. Each method is asked for its request without sending it
(`pending=True`), which hands the table out; a request is then held against the table of the method with its verb and edge.
The SDK sends any type as text, and so it is read: a budget is digits, an object is JSON. Must not send anything, and must not
know which parameters are mandatory: the SDK does not say (the sandbox does).
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from facebook_business.adobjects.abstractcrudobject import AbstractCrudObject
from facebook_business.adobjects.abstractobject import AbstractObject
from facebook_business.api import FacebookAdsApi, FacebookRequest
from facebook_business.apiconfig import ads_api_config
from facebook_business.session import FacebookSession

from definitions import Verdict
from records import Request

#: What the Graph API takes on any call beside an edge's own parameters: https://developers.facebook.com/docs/graph-api/overview
#: and, for `filtering`, `limit` and the cursors, …/docs/graph-api/results. `appsecret_proof`: …/guides/secure-requests.
_EVERYWHERE = {"fields", "appsecret_proof", "access_token"}
_ON_LISTS = {"limit", "after", "before", "filtering", "summary"}

#: Keys that refer to an existing object where a parameter is typed as the object itself; the SDK's classes lack them:
#: https://developers.facebook.com/docs/marketing-api/reference/ad-account/ads ("creative": {"creative_id": …}).
_REFERENCES = {"AdCreative": {"creative_id"}}

#: What the sandbox calls an edge, and the SDK's class of a node there.
_NODES = {
    "account": ("adaccount", "AdAccount"),
    "campaigns": ("campaign", "Campaign"),
    "adsets": ("adset", "AdSet"),
    "ads": ("ad", "Ad"),
    "adcreatives": ("adcreative", "AdCreative"),
    "adlabels": ("adlabel", "AdLabel"),
    "advideos": ("advideo", "AdVideo"),
    "adimages": ("adimage", "AdImage"),
    "catalog": ("productcatalog", "ProductCatalog"),
    "catalogs": ("productcatalog", "ProductCatalog"),
    "product_sets": ("productset", "ProductSet"),
    "product_feeds": ("productfeed", "ProductFeed"),
    "uploads": ("productfeedupload", "ProductFeedUpload"),
}


@dataclass(frozen=True)
class Table:
    """What one method of the SDK takes and returns."""

    #: ``AdAccount.create_campaign``.
    name: str
    types: dict[str, str]
    enums: dict[str, Any]
    target: type[AbstractObject]
    edge: str


def _offline() -> FacebookAdsApi:
    """An API object that nothing is sent with; never `FacebookAdsApi.init`, which installs a crash reporter."""
    return FacebookAdsApi(FacebookSession(access_token="none"), api_version=ads_api_config["API_VERSION"])


def _class(module: str, name: str) -> type[AbstractObject]:
    return getattr(importlib.import_module(f"facebook_business.adobjects.{module}"), name)


def _target(request: FacebookRequest) -> type[AbstractObject]:
    """What a method returns; for ad sets the SDK only says that it is an object, so the edge decides."""
    target, edge = request._target_class, request._endpoint.strip("/")
    return _class(*_NODES[edge]) if target is AbstractCrudObject and edge in _NODES else target


@cache
def _tables(cls: type[AbstractObject]) -> dict[tuple[str, str], Table]:
    """Every method of a class by verb and edge (`/` is the node itself)."""
    api, tables = _offline(), {}
    for name, function in inspect.getmembers(cls, inspect.isfunction):
        if "pending" not in inspect.signature(function).parameters:
            continue
        try:
            request = function(cls("1", api=api), pending=True)
        except Exception:  # a hand-written method that wants its object filled in first
            continue
        if not isinstance(request, FacebookRequest):
            continue
        checker = request._param_checker  # there is no other way to it
        if checker is None:
            continue
        table = Table(
            name=f"{cls.__name__}.{name}",
            types=checker._type_check_info,
            enums={k: set(v) for k, v in checker._enum_data.items()},
            target=_target(request),
            edge=request._endpoint.strip("/"),
        )
        key = (request._method, table.edge)
        # Aliases of one edge: the one with the larger table says more.
        if key not in tables or len(tables[key].types) < len(table.types):
            tables[key] = table
    return tables


@cache
def _known_class(name: str) -> type[AbstractObject] | None:
    try:
        found = _class(name.lower(), name)
    except (ImportError, AttributeError):
        return None
    return found if inspect.isclass(found) and issubclass(found, AbstractObject) else None


def _field_names(cls: type[AbstractObject]) -> set[str]:
    fields = getattr(cls, "Field", None)
    return {v for k, v in vars(fields).items() if not k.startswith("_")} if fields else set()


def _split(text: str) -> list[str]:
    """`id,creative{id,name}` at its outer commas."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += {"{": 1, "}": -1, "(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in [*parts, text[start:]]]


def _inner_class(type_name: str) -> type[AbstractObject] | None:
    found = re.fullmatch(r"(?:list<)?(\w+)>?", type_name)
    return _known_class(found[1]) if found else None


def field_problems(text: str, cls: type[AbstractObject]) -> list[str]:
    """Names in a `fields` parameter that the class does not have, at any depth."""
    problems, known = [], _field_names(cls)
    if not known:
        return []
    edges = {edge for verb, edge in _tables(cls) if verb == "GET" and edge}
    for part in _split(text):
        found = re.fullmatch(r"(\w+)(?:\.\w+\([^)]*\))*(?:\{(.*)\})?", part, re.S)
        if not found:
            problems.append(f"fields: {part!r} does not read")
            continue
        name, nested = found.groups()
        if name not in known and name not in edges:
            problems.append(f"fields: {cls.__name__} has no field {name}")
        elif nested:
            inner = _inner_class(getattr(cls, "_field_types", {}).get(name, ""))
            problems += [f"{name}.{p}" for p in (field_problems(nested, inner) if inner else [])]
    return problems


class _Reader:
    """Reads one value as one of the SDK's types; collects what does not fit."""

    def __init__(self, enums: dict[str, Any]) -> None:
        self.enums = enums
        self.problems: list[str] = []

    def refuse(self, place: str, what: str) -> None:
        self.problems.append(f"{place}: {what}")

    def wire(self, place: str, kind: str, text: str, own: type[AbstractObject] | None) -> None:
        """A value as it stands in a form: everything is text."""
        if kind in self.enums:
            if text not in self.enums[kind]:
                self.refuse(place, f"{text!r} is none of the values of {kind}")
        elif kind == "unsigned int":
            if not re.fullmatch(r"\d+", text):
                self.refuse(place, f"{text!r} is no unsigned int")
        elif kind == "int":
            if not re.fullmatch(r"-?\d+", text):
                self.refuse(place, f"{text!r} is no int")
        elif kind == "float":
            if not re.fullmatch(r"-?\d+(\.\d+)?", text):
                self.refuse(place, f"{text!r} is no float")
        elif kind == "bool":
            if text not in {"true", "false"}:
                self.refuse(place, f"{text!r} is neither true nor false")
        elif kind == "datetime":
            self.time(place, text)
        elif kind in {"string", "file"}:
            return
        else:
            try:
                value = json.loads(text)
            except ValueError:
                self.refuse(place, f"{kind} is sent as JSON, and this is none: {text[:60]!r}")
                return
            self.value(place, kind, value, own)

    def time(self, place: str, text: Any) -> None:
        if not re.fullmatch(r"\d+|\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d))?", str(text)):
            self.refuse(place, f"{text!r} is no time")

    def value(self, place: str, kind: str, value: Any, own: type[AbstractObject] | None = None) -> None:
        """A value inside JSON; `own` is the class that the object's fields name where the parameter only says Object."""
        if inner := re.fullmatch(r"list<(.+)>", kind):
            if not isinstance(value, list):
                self.refuse(place, f"not a list of {inner[1]}")
                return
            for n, item in enumerate(value):
                self.value(f"{place}[{n}]", inner[1], item, own)
        elif kind in self.enums:
            if value not in self.enums[kind]:
                self.refuse(place, f"{value!r} is none of the values of {kind}")
        elif kind in {"Object", "map"} or kind.startswith("map<"):
            if own is not None and isinstance(value, dict):
                self.object(place, own, value)
            elif not isinstance(value, (dict, list) if kind == "map" else dict):
                # The SDK documents some objects (`creative`, a label) that are also taken by their id.
                self.refuse(place, f"not an object: {value!r}")
        elif kind in {"unsigned int", "int"}:
            good = isinstance(value, int) and not isinstance(value, bool) and (kind == "int" or value >= 0)
            if not good and not (isinstance(value, str) and re.fullmatch(r"\d+", value)):
                self.refuse(place, f"{value!r} is no {kind}")
        elif kind == "bool":
            if not isinstance(value, bool):
                self.refuse(place, f"{value!r} is no bool")
        elif kind == "float":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                self.refuse(place, f"{value!r} is no float")
        elif kind == "string":
            if not isinstance(value, str):
                self.refuse(place, f"{value!r} is no string")
        elif kind == "datetime":
            self.time(place, value)
        elif (cls := _known_class(kind)) is not None:
            self.object(place, cls, value)

    def object(self, place: str, cls: type[AbstractObject], value: Any) -> None:
        """An object of one of the SDK's classes: every key is one of its fields, of the field's type."""
        if not isinstance(value, dict):
            self.refuse(place, f"not a {cls.__name__}: {value!r}")
            return
        known, types = _field_names(cls), getattr(cls, "_field_types", {})
        nested = _Reader(_enums_of(cls))
        for key, inner in value.items():
            if key in _REFERENCES.get(cls.__name__, ()):
                self.value(f"{place}.{key}", "string", inner)
            elif key not in known:
                self.refuse(f"{place}.{key}", f"{cls.__name__} has no such field")
            elif key in types:
                nested.value(f"{place}.{key}", types[key], inner)
        self.problems += nested.problems


@cache
def _enums_of(cls: type[AbstractObject]) -> dict[str, set[str]]:
    """A class's enums: classes inside it whose names its field types use."""
    return {
        name: {v for k, v in vars(inner).items() if not k.startswith("_")}
        for name, inner in vars(cls).items()
        if inspect.isclass(inner) and name not in {"Field", "__class__"}
    }


def _own_class(table: Table, parameter: str) -> type[AbstractObject] | None:
    """What class an `Object` parameter is, by the field of that name of what the method makes."""
    return _inner_class(getattr(table.target, "_field_types", {}).get(parameter, ""))


class Meta:
    """The definitions of Meta."""

    vendor = "meta"

    def tables(self, request: Request) -> list[Table]:
        """The SDK's methods that the request may be; several where the path only has an id."""
        segments = request.path.strip("/").split("/")
        if segments[0] != ads_api_config["API_VERSION"] or not 2 <= len(segments) <= 3:
            return []
        node, edge = segments[1], segments[2] if len(segments) == 3 else ""
        _, kind, *_ = [*request.method.split("."), "", ""]
        if node.startswith("act_"):
            classes = [_NODES["account"]]
        elif not edge and kind in _NODES:
            classes = [_NODES[kind]]
        else:
            classes = [pair for name, pair in _NODES.items() if name != "account"]
        key = (request.http_method, edge)
        found = [_tables(_class(*pair)).get(key) for pair in dict.fromkeys(classes)]
        return [table for table in found if table is not None]

    def request(self, request: Request) -> Verdict:
        """Reads each parameter as the SDK's table types it, with the nested objects' own fields."""
        if _is_batch(request):
            # Each operation in it is recorded as a request of its own; the SDK's batch class names what the call has.
            extra = {name for name, _ in request.form or []} - {"batch", "include_headers"}
            return Verdict("FacebookAdsApiBatch.execute", [f"{name}: a batch has no such parameter" for name in extra])
        verdicts = [self._against(table, request) for table in self.tables(request)]
        if not verdicts:
            return Verdict(f"{request.http_method} {request.path}", ["no method of the SDK has this verb and edge"])
        return min(verdicts, key=lambda verdict: len(verdict.problems))

    def _against(self, table: Table, request: Request) -> Verdict:
        verdict = Verdict(table.name)
        parameters = list(request.query)
        if request.http_method == "POST":
            # The SDK itself leaves its credentials in the query string, whatever the verb (session.py).
            if {name for name, _ in request.query} - {"access_token", "appsecret_proof"}:
                verdict.problems.append("a query string beside a body")
            if request.form is None and request.parts is None:
                verdict.problems.append("the body is no form")
            parameters += request.form or []
            parameters += [(p["name"], p.get("text", "")) for p in request.parts or []]
        verdict.problems += [f"{name}: sent twice" for name in _twice(parameters)]
        allowed = _EVERYWHERE | (_ON_LISTS if table.edge and request.http_method == "GET" else set())
        for name, text in parameters:
            if name == "fields":
                verdict.problems += field_problems(text, table.target)
            elif name in table.types:
                reader = _Reader(table.enums)
                reader.wire(name, table.types[name], text, _own_class(table, name))
                verdict.problems += reader.problems
            elif name not in allowed:
                verdict.problems.append(f"{name}: {table.name} has no such parameter")
        return verdict

    def answer(self, request: Request) -> list[str]:
        """Every field of what is returned is a field of the SDK's class, of its type."""
        if request.status is None or request.answer is None:
            return []
        if request.status >= 400:
            return error_problems(request.answer)
        if _is_batch(request):
            rows = request.answer if isinstance(request.answer, list) else [{}]
            good = [row is None or {"code", "body"} <= set(row) for row in rows]
            return [] if all(good) else ["a batch's answer is a list of {code, headers, body} and null"]
        tables = self.tables(request)
        if not tables or request.http_method != "GET":
            return [] if isinstance(request.answer, dict) else ["the answer is no object"]
        rows = request.answer.get("data", []) if tables[0].edge else [request.answer]
        if tables[0].edge and set(request.answer) - {"data", "paging", "summary"}:
            return [f"a page has no {key}" for key in set(request.answer) - {"data", "paging", "summary"}]
        return min((self._rows(table, rows) for table in tables), key=len)

    def _rows(self, table: Table, rows: list[Any]) -> list[str]:
        reader = _Reader({})
        if _field_names(table.target):
            for n, row in enumerate(rows):
                reader.object(f"[{n}]", table.target, row)
        return reader.problems


def _is_batch(request: Request) -> bool:
    return request.http_method == "POST" and request.path.strip("/") == ads_api_config["API_VERSION"]


def _twice(parameters: list[tuple[str, str]]) -> set[str]:
    names = [name for name, _ in parameters]
    return {name for name in names if names.count(name) > 1}


def error_problems(answer: Any) -> list[str]:
    """Whether an error is one as `FacebookRequestError` reads it."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return [f"not an error as Meta sends it: {str(answer)[:200]}"]
    problems = []
    for name, kind in {"message": str, "type": str, "code": int, "fbtrace_id": str}.items():
        if not isinstance(error.get(name), kind):
            problems.append(f"error.{name} is no {kind.__name__}")
    return problems
