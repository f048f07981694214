"""TikTok Business API v1.3: the calls and models of `tiktok-business-api-sdk-official`.

The SDK is generated: each call's path, verb and parameters stand in its code and docstring, each body's fields, types and
mandatory ones in its model. They are read from there. The SDK has no enums for campaigns, ad groups and ads (the sandbox
has), and leaves out a few calls that the vendor's portal documents: those stand in `_LEFT_OUT`, with their pages.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from business_api_client import api, models

from definitions import Verdict
from records import Request

_PREFIX = "/open_api/v1.3/"


@dataclass
class Call:
    """One call of the API."""

    name: str
    #: Parameters in the query string or in a form: name → type; and which must be there.
    parameters: dict[str, str] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    #: The model of a JSON body.
    body: str | None = None


#: Documented at https://business-api.tiktok.com/portal/docs and absent from the SDK: review of manual ads, image search,
#: catalog diagnostics. Read by way of https://github.com/bububa/tiktok-business, whose comments are the portal's text.
_LEFT_OUT = {
    ("GET", "ad/review_info/"): Call(
        "ad review info (not in the SDK)",
        {"advertiser_id": "str", "ad_ids": "list[str]", "lang": "str"},
        {"advertiser_id", "ad_ids"},
    ),
    ("GET", "file/image/ad/search/"): Call(
        "image search (not in the SDK)",
        {"advertiser_id": "str", "filtering": "object", "page": "int", "page_size": "int"},
        {"advertiser_id"},
    ),
    ("GET", "diagnostic/catalog/"): Call(
        "catalog diagnostics (not in the SDK)",
        {
            "bc_id": "str",
            "catalog_id": "str",
            "feed_id": "str",
            "filtering": "object",
            "lang": "str",
            "page": "int",
            "page_size": "int",
        },
        {"bc_id", "catalog_id"},
    ),
    ("GET", "diagnostic/catalog/eventsource/issue/"): Call(
        "event source diagnostics (not in the SDK)",
        {
            "bc_id": "str",
            "catalog_id": "str",
            "event_source_type": "str",
            "app_id": "str",
            "pixel_code": "str",
            "event_type": "str",
            "time_range": "str",
        },
        {"bc_id", "catalog_id", "event_source_type"},
    ),
}


@cache
def calls() -> dict[tuple[str, str], Call]:
    """Every call by verb and path."""
    found = dict(_LEFT_OUT)
    for _, module in inspect.getmembers(api, inspect.ismodule):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            for name, function in inspect.getmembers(cls, inspect.isfunction):
                if name.endswith("_with_http_info"):
                    _read(f"{cls.__name__}.{name.removesuffix('_with_http_info')}", function, found)
    return found


def _read(name: str, function: Any, found: dict[tuple[str, str], Call]) -> None:
    source = inspect.getsource(function)
    place = re.search(rf"call_api\(\s*'{_PREFIX}([^']*)', '(\w+)'", source)
    if place is None:
        return
    documented = re.findall(r":param ([\w\[\](), ]+?) (\w+):", inspect.getdoc(function) or "")
    types = {parameter: kind for kind, parameter in documented}
    positional = [p for p in inspect.signature(function).parameters if p not in {"self", "access_token", "kwargs"}]
    body = types.pop("body", None)
    types.pop("access_token", None)
    found[(place[2], place[1])] = Call(name, types, set(positional), body)


@cache
def _model(name: str) -> tuple[dict[str, str], set[str]] | None:
    """A model's fields with their types, and those that must be there."""
    model = getattr(models, name, None)
    if model is None or not hasattr(model, "swagger_types"):
        return None
    types = {model.attribute_map[attribute]: kind for attribute, kind in model.swagger_types.items()}
    mandatory = set(re.findall(r"Invalid value for `(\w+)`, must not be `None`", inspect.getsource(model)))
    return types, {model.attribute_map[attribute] for attribute in mandatory}


class Tiktok:
    """The definitions of TikTok."""

    vendor = "tiktok"

    def _call(self, request: Request) -> Call | None:
        if not request.path.startswith(_PREFIX):
            return None
        return calls().get((request.http_method, request.path.removeprefix(_PREFIX)))

    def request(self, request: Request) -> Verdict:
        """Holds query, form or body against the call's parameters and model."""
        call = self._call(request)
        if call is None:
            return Verdict(f"{request.http_method} {request.path}", ["the SDK has no such call"])
        verdict = Verdict(call.name)
        if request.http_method == "GET":
            sent = [(name, value) for name, value in request.query]
            verdict.problems += _parameters(call, sent)
        elif request.query:
            verdict.problems.append("a query string beside a body")
        if request.http_method == "GET":
            return verdict
        if request.parts is not None:
            sent = [(part["name"], part.get("text", part.get("filename", ""))) for part in request.parts]
            verdict.problems += _parameters(call, sent)
        elif call.body is not None:
            verdict.problems += _value("", call.body, request.json)
        elif isinstance(request.json, dict):
            verdict.problems += _as_json(call, request.json)
        else:
            verdict.problems.append("no body that the call takes")
        return verdict

    def answer(self, request: Request) -> list[str]:
        """Every answer is the envelope that the SDK reads, whatever came of the call."""
        if request.status is None:
            return []
        answer = request.answer
        if request.status != 200:
            return [f"HTTP {request.status}: this API answers 200, and says in `code` what is wrong"]
        if not isinstance(answer, dict):
            return ["the answer is no object"]
        kinds = {"code": int, "message": str, "request_id": str}
        problems = [f"{name} is no {kind.__name__}" for name, kind in kinds.items() if not isinstance(answer.get(name), kind)]
        # A video upload answers with a list.
        if answer.get("code") == 0 and not isinstance(answer.get("data"), (dict, list)):
            problems.append("data is neither an object nor a list")
        return problems + [f"the envelope has no {key}" for key in set(answer) - {"code", "message", "request_id", "data"}]


def _parameters(call: Call, sent: list[tuple[str, str]]) -> list[str]:
    """Parameters as they travel in a query string or a form: lists and objects are JSON."""
    problems = [f"{name}: required" for name in sorted(call.required - {name for name, _ in sent})]
    for name, text in sent:
        kind = call.parameters.get(name)
        if kind is None:
            problems.append(f"{name}: {call.name} has no such parameter")
        elif kind not in {"str", "date", "datetime"}:
            try:
                value = json.loads(text)
            except ValueError:
                problems.append(f"{name}: {kind} is sent as JSON, and this is none: {text[:60]!r}")
                continue
            problems += _value(name, kind, value)
    return problems


def _as_json(call: Call, body: dict[str, Any]) -> list[str]:
    """A form's fields sent as JSON, which the upload calls take where no file is sent."""
    problems = [f"{name}: required" for name in sorted(call.required - set(body))]
    for name, value in body.items():
        if name not in call.parameters:
            problems.append(f"{name}: {call.name} has no such parameter")
        else:
            problems += _value(name, call.parameters[name], value)
    return problems


_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def _value(place: str, kind: str, value: Any) -> list[str]:
    """A value against one of the SDK's types."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{place}: no list"]
        return [p for n, item in enumerate(value) for p in _value(f"{place}[{n}]", inner[1], item)]
    if kind in _PLAIN:
        good = isinstance(value, _PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))
        return [] if good else [f"{place}: {value!r} is no {kind}"]
    model = _model(kind)
    if model is None:
        return []
    if not isinstance(value, dict):
        return [f"{place or 'body'}: no {kind}"]
    types, required = model
    problems = [f"{place}.{name}: required".lstrip(".") for name in sorted(required - set(value))]
    for name, inner_value in value.items():
        here = f"{place}.{name}".lstrip(".")
        problems += _value(here, types[name], inner_value) if name in types else [f"{here}: {kind} has no such field"]
    return problems
