"""Google Ads v26: the messages of the `google-ads` package.

A body is parsed with protobuf's own strict JSON reader; what that lets pass and Google does not (snake-case keys, update
masks that name nothing) is looked up in the descriptors. Queries are checked field by field against `GoogleAdsRow`.
Must not know business rules: protobuf has none.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.ads.googleads import v26
from google.protobuf import descriptor, descriptor_pool, json_format, message, message_factory
from google.protobuf.field_mask_pb2 import FieldMask

from definitions import Verdict
from records import Request

_VERSION = v26.__name__.rsplit(".", 1)[-1]
_SERVICES = f"google.ads.googleads.{_VERSION}.services"
#: Messages whose JSON is not an object with their fields.
_SPECIAL = re.compile(r"google\.protobuf\.(Any|FieldMask|Struct|Value|ListValue|\w+Value|Timestamp|Duration)$")
#: Google's own methods on a customer beside the mutates; each is "Search…" with these request and response messages.
_QUERIES = {"search": "SearchGoogleAds", "searchStream": "SearchGoogleAdsStream"}

Descriptor = descriptor.Descriptor


@cache
def _load() -> None:
    """Registers every service message of the version."""
    package = importlib.import_module(f"google.ads.googleads.{_VERSION}.services.types")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    importlib.import_module(f"google.ads.googleads.{_VERSION}.errors.types.errors")


def _message(name: str) -> message.Message | None:
    _load()
    try:
        found = descriptor_pool.Default().FindMessageTypeByName(name)
    except KeyError:
        return None
    return message_factory.GetMessageClass(found)()


def _method(request: Request) -> tuple[str, str, str] | None:
    """Google's name of the method and its request and response messages, from the path."""
    found = re.fullmatch(rf"/{_VERSION}/customers/\d+(?:/(\w+))?:(\w+)", request.path)
    if request.path == f"/{_VERSION}/customers:listAccessibleCustomers":
        return (
            "CustomerService.ListAccessibleCustomers",
            "ListAccessibleCustomersRequest",
            "ListAccessibleCustomersResponse",
        )
    if request.path == f"/{_VERSION}/geoTargetConstants:suggest":
        return (
            "GeoTargetConstantService.SuggestGeoTargetConstants",
            "SuggestGeoTargetConstantsRequest",
            "SuggestGeoTargetConstantsResponse",
        )
    if not found:
        return None
    collection, verb = found.groups()
    if collection is None and verb == "mutate":
        return "CustomerService.MutateCustomer", "MutateCustomerRequest", "MutateCustomerResponse"
    if collection == "googleAds" and verb in _QUERIES:
        stem = _QUERIES[verb]
        return (
            f"GoogleAdsService.{stem[: -len('GoogleAds')] if verb == 'search' else 'SearchStream'}",
            f"{stem}Request",
            f"{stem}Response",
        )
    if collection == "googleAds" and verb == "mutate":
        return "GoogleAdsService.Mutate", "MutateGoogleAdsRequest", "MutateGoogleAdsResponse"
    if collection and verb == "mutate":
        stem = f"Mutate{collection[0].upper()}{collection[1:]}"
        return f"{collection}.{verb}", f"{stem}Request", f"{stem}Response"
    return None


class GoogleAds:
    """The definitions of Google Ads."""

    vendor = "google-ads"

    def request(self, request: Request) -> Verdict:
        """Parses the body into the method's request message, then checks names, masks and queries."""
        found = _method(request)
        target = _message(f"{_SERVICES}.{found[1]}") if found else None
        if found is None or target is None:
            return Verdict(f"{request.http_method} {request.path}", ["no method of the API has this path"])
        verdict = Verdict(found[0])
        if request.http_method == "GET":
            verdict.problems += [f"query: {name} is no parameter" for name, _ in request.query]
            return verdict
        if request.query:
            verdict.problems.append("a query string beside a body")
        body = request.json
        if not isinstance(body, dict):
            verdict.problems.append("the body is no JSON object")
            return verdict
        verdict.problems += parse_problems(body, target)
        if "customerId" in body:
            verdict.problems.append("customerId: stands in the path, not in the body")
        verdict.problems += _operations(body, target.DESCRIPTOR, "")
        if isinstance(body.get("query"), str):
            verdict.problems += query_problems(body["query"])
        return verdict

    def answer(self, request: Request) -> list[str]:
        """Parses the answer into the method's response message, or into the error that Google sends."""
        found = _method(request)
        if found is None or request.status is None:
            return []
        if request.status >= 400:
            return error_problems(request.answer)
        stream = found[1] == "SearchGoogleAdsStreamRequest"
        if stream and not isinstance(request.answer, list):
            return ["a stream's answer is an array"]
        problems: list[str] = []
        for part in request.answer if stream else [request.answer]:
            target = _message(f"{_SERVICES}.{found[2]}")
            assert target is not None, found
            problems += parse_problems(part, target)
        return problems


def error_problems(answer: Any) -> list[str]:
    """Whether an error body is a `google.rpc.Status` with a `GoogleAdsFailure` that reads."""
    answer = answer[0] if isinstance(answer, list) and answer else answer
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or set(error) - {"code", "message", "status", "details"}:
        return [f"not an error as Google sends it: {str(answer)[:200]}"]
    problems = []
    for detail in error.get("details", []):
        name = str(detail.get("@type", "")).rsplit("/", 1)[-1]
        target = _message(name)
        if target is None:
            if not name.startswith("google.rpc."):
                problems.append(f"error.details: {name} is no message")
            continue
        problems += parse_problems({k: v for k, v in detail.items() if k != "@type"}, target)
    return problems


def parse_problems(body: Any, target: message.Message) -> list[str]:
    """What protobuf's strict reader refuses, and keys that it takes though JSON spells them otherwise."""
    try:
        json_format.ParseDict(body, target, ignore_unknown_fields=False)
    except json_format.ParseError as error:
        # Its second line lists every field that there is.
        return [str(error).splitlines()[0]]
    return list(_names(body, target.DESCRIPTOR, ""))


def _names(value: Any, of: Descriptor, place: str) -> Iterator[str]:
    """Keys that are not the field's JSON name: snake case reads, but it is not what Google documents for REST."""
    if not isinstance(value, dict) or _SPECIAL.match(of.full_name):
        return
    by_json = {f.json_name: f for f in of.fields}
    for key, inner in value.items():
        if key == "@type":
            continue
        field = by_json.get(key)
        here = f"{place}.{key}".lstrip(".")
        if field is None:
            yield f"{here}: not the JSON name of a field of {of.name}"
        elif field.message_type is not None:
            for item in inner if isinstance(inner, list) else [inner]:
                yield from _names(item, field.message_type, here)


def _operations(value: Any, of: Descriptor, place: str) -> list[str]:
    """Every operation's update mask: there on updates and only there, and naming what exists and what is sent."""
    problems: list[str] = []
    if not isinstance(value, dict):
        return problems
    fields = {f.json_name: f for f in of.fields}
    if "updateMask" in fields and "update" in fields:
        problems += _mask(value, fields["update"].message_type, place)
    for key, inner in value.items():
        field = fields.get(key)
        if field is not None and field.message_type is not None and key.lower().endswith(("operation", "operations")):
            items = inner if isinstance(inner, list) else [inner]
            for n, item in enumerate(items):
                where = f"{place}.{key}[{n}]" if isinstance(inner, list) else f"{place}.{key}"
                problems += _operations(item, field.message_type, where.lstrip("."))
    return problems


def _mask(operation: dict[str, Any], resource: Descriptor, place: str) -> list[str]:
    given = operation.get("updateMask")
    if "update" not in operation:
        return [f"{place}.updateMask: FIELD_MASK_NOT_ALLOWED"] if given is not None else []
    if not given:
        return [f"{place}.updateMask: FIELD_MASK_MISSING"]
    mask = FieldMask()
    try:
        mask.FromJsonString(given)
    except (ValueError, json_format.Error) as error:
        return [f"{place}.updateMask: {error}"]
    problems = []
    if not mask.IsValidForDescriptor(resource):
        problems.append(f"{place}.updateMask: FIELD_NOT_FOUND in {given!r} ({resource.name})")
    covered = {path.split(",")[0] for path in given.split(",")}
    for name in operation["update"]:
        if name != "resourceName" and not any(path.split(".")[0] == name for path in covered):
            problems.append(f"{place}.update.{name}: sent but not in the mask, so it would be ignored")
    return problems


def _resolve(path: str) -> bool:
    """Whether `campaign.network_settings.target_google_search` names something in a row."""
    row = _message(f"{_SERVICES}.GoogleAdsRow")
    assert row is not None
    of: Descriptor | None = row.DESCRIPTOR
    for part in path.split("."):
        # The package gives a name that Python keeps for itself an underscore: `type` is `type_`.
        field = (of.fields_by_name.get(part) or of.fields_by_name.get(f"{part}_")) if of is not None else None
        if field is None:
            return False
        of = field.message_type
    return True


_CLAUSES = re.compile(
    r"^SELECT (?P<fields>.+?) FROM (?P<resource>\w+)(?P<rest>(?: (?:WHERE|ORDER BY|LIMIT|PARAMETERS) .*)?)$", re.S
)


def query_problems(query: str) -> list[str]:
    """Every name in a GAQL query is a field of a row; the resource is one."""
    bare = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", " ".join(query.split()))
    clauses = _CLAUSES.match(bare)
    if not clauses:
        return [f"query: not SELECT … FROM …: {query[:120]}"]
    names = [name.strip() for name in clauses["fields"].split(",")]
    names += re.findall(r"\b[a-z_]+(?:\.[a-z0-9_]+)+\b", clauses["rest"])
    problems = [f"query: {name} is no field" for name in names if not _resolve(name)]
    if not _resolve(clauses["resource"]):
        problems.append(f"query: {clauses['resource']} is no resource")
    return problems
