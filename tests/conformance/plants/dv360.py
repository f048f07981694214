"""Mistakes in what is sent to Display & Video 360."""

from __future__ import annotations

from collections.abc import Callable

from plants import Plant, Spoil, before, meanwhile
from plants.edits import drop, holds, put, query, rename
from records import Request
from sandbox import Sandbox


def _always(_: Request) -> bool:
    return True


def _plant(name: str, method: str, spoil: Spoil, by: str, where: Callable[[Request], bool] = _always) -> Plant:
    return Plant(name, "dv360", f"dv360.{method}", spoil, by, where)


def _rule(
    rule: str,
    method: str,
    spoil: Spoil,
    because: str,
    where: Callable[[Request], bool] = _always,
    first: Callable[[Sandbox, Request], None] | None = None,
) -> Plant:
    return Plant(rule.replace("-", " "), "dv360", f"dv360.{method}", spoil, "sandbox", where, because, f"dv360.{rule}", first)


def _delete_instead(request: Request) -> None:
    request.http_method, request.json, request.query = "DELETE", None, []


def _as_it_is(_: Request) -> None:
    """The mistake is when it is sent."""


_ACTIVE = "ENTITY_STATUS_ACTIVE"
_PAST = {"year": 2020, "month": 1, "day": 1}
_LATE = {"year": 2037, "month": 1, "day": 1}
_SEGMENT = "budget.budgetSegments.0"
_DRAFT = "ENTITY_STATUS_DRAFT"

PLANTS = [
    # What the definitions know.
    _plant("a misspelt field", "campaigns.create", rename("displayName", "displayname"), "definitions"),
    _plant("a snake-case key", "lineItems.create", rename("lineItemType", "line_item_type"), "definitions"),
    _plant("a wrong enum", "campaigns.create", put("entityStatus", "PAUSED"), "definitions"),
    _plant("a budget that is a float", "insertionOrders.create", put(f"{_SEGMENT}.budgetAmountMicros", 9000.5), "definitions"),
    _plant(
        "a budget with a fraction", "insertionOrders.create", put(f"{_SEGMENT}.budgetAmountMicros", "9000.5"), "definitions"
    ),
    _plant("a missing field", "insertionOrders.create", drop("kpi"), "definitions"),
    _plant("a missing field within one", "lineItems.create", drop("pacing.pacingPeriod"), "definitions"),
    _plant("a read-only id", "campaigns.create", put("campaignId", "555"), "definitions"),
    _plant(
        "a date that is a text", "campaigns.create", put("campaignFlight.plannedDates.startDate", "2036-12-01"), "definitions"
    ),
    _plant("an update without a mask", "campaigns.update", query("updateMask", None), "definitions"),
    _plant("a mask that names an unknown field", "campaigns.update", query("updateMask", "entitystatus"), "definitions"),
    _plant(
        "a mask that names a read-only field", "campaigns.update", query("updateMask", "entityStatus,updateTime"), "definitions"
    ),
    _plant("a mask that leaves out what is sent", "campaigns.update", query("updateMask", "displayName"), "definitions"),
    _plant("a parameter that is none", "campaigns.list", query("filters", "x"), "definitions"),
    _plant("a page size that is a text", "creatives.list", query("pageSize", "all"), "definitions"),
    _plant(
        "another version of the API",
        "campaigns.create",
        lambda request: setattr(request, "path", request.path.replace("/v4/", "/v2/")),
        "definitions",
    ),
    _plant(
        "a misspelt field of targeting",
        "lineItems.bulkEditAssignedTargetingOptions",
        rename("createRequests.0.assignedTargetingOptions", "options"),
        "definitions",
        holds("createRequests.0.assignedTargetingOptions"),
    ),
    # What the owner demands.
    _plant("a campaign made active", "campaigns.create", put("entityStatus", _ACTIVE), "demands"),
    _plant(
        "a utm_ in a creative",
        "creatives.create",
        put("exitEvents.0.url", "https://shop.acme.example/?utm_source=dv360"),
        "demands",
        holds("exitEvents.0.url"),
    ),
    # What only prose says.
    _rule("orders-begin-as-drafts", "insertionOrders.create", put("entityStatus", _ACTIVE), "DRAFT"),
    _rule("line-items-begin-as-drafts", "lineItems.create", put("entityStatus", "ENTITY_STATUS_PAUSED"), "DRAFT"),
    _rule("campaigns-do-not-begin-archived", "campaigns.create", put("entityStatus", "ENTITY_STATUS_ARCHIVED"), "entity"),
    _rule("eu-declaration", "lineItems.create", drop("containsEuPoliticalAds"), "political"),
    _rule("flights-lie-ahead", "insertionOrders.create", put(f"{_SEGMENT}.dateRange.startDate", _PAST), "future"),
    _rule("dates-before-2037", "insertionOrders.create", put(f"{_SEGMENT}.dateRange.endDate", _LATE), "2037"),
    _rule(
        "end-after-start",
        "insertionOrders.create",
        put(f"{_SEGMENT}.dateRange.startDate", {"year": 2036, "month": 12, "day": 31}),
        "end date",
    ),
    _rule("names-to-240-bytes", "campaigns.create", put("displayName", "ü" * 121), "240"),
    _rule(
        "no-asap-over-a-flight",
        "insertionOrders.create",
        put("pacing.pacingType", "PACING_TYPE_ASAP"),
        "PACING_TYPE_ASAP",
        holds("pacing.pacingPeriod", "PACING_PERIOD_FLIGHT"),
    ),
    _rule(
        "caps-within-their-unit",
        "campaigns.create",
        put("frequencyCap", {"maxImpressions": 3, "timeUnit": "TIME_UNIT_DAYS", "timeUnitCount": 7}),
        "time_unit_count",
    ),
    _rule("bids-to-a-thousand", "lineItems.create", put("bidStrategy", {"fixedBid": {"bidAmountMicros": "1000000001"}}), "bid"),
    _rule(
        "line-items-have-a-cap",
        "lineItems.create",
        drop("frequencyCap"),
        "frequency_cap",
        holds("lineItemType", "LINE_ITEM_TYPE_DISPLAY_DEFAULT"),
    ),
    _rule(
        "no-way-back-to-draft",
        "insertionOrders.update",
        put("entityStatus", _DRAFT),
        "DRAFT",
        holds("entityStatus", _ACTIVE),
        first=before(lambda request: request),
    ),
    _rule("archived-before-deleted", "campaigns.update", _delete_instead, "archive"),
    _rule("parents-exist", "insertionOrders.create", put("campaignId", "1"), "campaign"),
    _rule("one-change-of-a-line-item-at-a-time", "lineItems.update", _as_it_is, "ABORTED", first=meanwhile),
    _rule(
        "one-targeting-edit-of-a-line-item-at-a-time",
        "lineItems.bulkEditAssignedTargetingOptions",
        _as_it_is,
        "ABORTED",
        first=meanwhile,
    ),
    _rule("exits-are-addresses", "creatives.create", put("exitEvents.0.url", "shop"), "invalid", holds("exitEvents.0.url")),
]
