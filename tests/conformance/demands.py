"""What the owner demands of every request, whatever the vendor would take: made paused, tracked by the rule.

Sources: the owner's specification (URL tracking; build, verify, then activate) and `src/domain/tracking.rs`. Vendors accept an
active campaign and a `utm_` just as well, so that no definition and no sandbox would refuse these. Must not repeat a vendor's
rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from records import Request


def _walk(value: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value with its place and its key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{place}.{key}".lstrip(".")
            yield here, key, inner
            yield from _walk(inner, here)
    elif isinstance(value, list):
        key = place.rsplit(".", 1)[-1]
        for n, inner in enumerate(value):
            if not isinstance(inner, (dict, list)):
                yield f"{place}[{n}]", key, inner
            yield from _walk(inner, f"{place}[{n}]")


def _body(request: Request) -> Any:
    if request.json is not None:
        return request.json
    return {name: _maybe_json(value) for name, value in request.form or []}


def _maybe_json(text: str) -> Any:
    if text[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


#: Google's own products are tracked by auto-tagging.
_AUTO_TAGGED = {"google-ads", "dv360"}
#: Where a URL stands on the platforms that are tracked by `utm_`, and what its query or its neighbour must name.
_TAGGED = {"meta": ("adcreatives.create", "url_tags"), "tiktok": ("ad.create", "landing_page_url")}

#: The status that a new object must say, by vendor; where the key is missing the platform's default would be live.
_PAUSED = {
    "google-ads": ("status", {"PAUSED"}),
    "meta": ("status", {"PAUSED"}),
    "tiktok": ("operation_status", {"DISABLE"}),
    "dv360": ("entityStatus", {"ENTITY_STATUS_PAUSED", "ENTITY_STATUS_DRAFT"}),
}
#: Google Ads: nothing beneath a paused campaign can serve, so that the campaign is the one switch there
#: (`src/platform/google_ads/mapping.rs`); the others have to say a status, whichever, instead of the platform's default.
_SERVING_OPERATIONS = {"campaignOperation"}
_STATED_OPERATIONS = {"adGroupOperation", "adGroupAdOperation", "assetGroupOperation"}
#: The others' methods that do.
_SERVING_METHODS = {
    "meta": {"campaigns.create", "adsets.create", "ads.create"},
    "tiktok": {"campaign.create", "adgroup.create"},
    "dv360": {"campaigns.create", "insertionOrders.create", "lineItems.create"},
}


def problems(request: Request) -> list[str]:
    """What the owner would not have in this request."""
    return [*_not_paused(request), *_tracking(request)]


def _created(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every new object that could serve, with its place."""
    body = _body(request)
    if request.vendor == "google-ads" and isinstance(body, dict):
        for n, operation in enumerate(body.get("mutateOperations") or []):
            for name, inner in operation.items():
                created = inner.get("create")
                switch = name in _SERVING_OPERATIONS or (name in _STATED_OPERATIONS and "status" not in (created or {}))
                if switch and isinstance(created, dict):
                    yield f"mutateOperations[{n}].{name}.create", created
    elif _logical(request) in _SERVING_METHODS.get(request.vendor, ()) and isinstance(body, dict):
        yield "body", body
    elif request.vendor == "tiktok" and _logical(request) == "ad.create" and isinstance(body, dict):
        for n, creative in enumerate(body.get("creatives") or []):
            yield f"creatives[{n}]", creative


def _logical(request: Request) -> str:
    return request.method.removeprefix(f"{request.vendor}.")


def _not_paused(request: Request) -> Iterator[str]:
    if request.vendor in _PAUSED:
        key, paused = _PAUSED[request.vendor]
        for place, created in _created(request):
            if created.get(key) not in paused:
                yield f"{place}.{key}: {created.get(key)!r} is not made paused"


def _tracking(request: Request) -> Iterator[str]:
    body = _body(request)
    if request.vendor in _AUTO_TAGGED and request.http_method != "GET":
        for place, _, value in _walk(body):
            if isinstance(value, str) and "utm_" in value.lower() and not place.endswith("query"):
                yield f"{place}: utm_ on a platform that tags by itself"
    method, key = _TAGGED.get(request.vendor, ("", ""))
    if method and _logical(request) == method:
        found = [value for _, name, value in _walk(body) if name == key]
        # A catalog's link is TikTok's own: what is appended to it stands in a list of its own (utm_params).
        listed = any(name == "key" and value == "utm_campaign" for _, name, value in _walk(body))
        if any("utm_campaign=" not in str(value) for value in found) or not (found or listed):
            yield f"{key}: no utm_campaign"
