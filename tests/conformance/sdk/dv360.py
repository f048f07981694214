"""`google-api-python-client` against the sandbox: Display & Video 360 v4, built from the discovery document in the package."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from googleapiclient.discovery import Resource, build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from definitions import discovery
from sandbox import Sandbox
from sdk import Steps
from sdk.google import credentials, tokens

_ADVERTISER = "99"
_PAUSED, _ACTIVE, _ARCHIVED = (f"ENTITY_STATUS_{s}" for s in ("PAUSED", "ACTIVE", "ARCHIVED"))


def _advertisers(sandbox: Sandbox, token: str | None = None) -> Resource:
    document = json.loads(discovery.text("displayvideo.v4"))
    # Not only `api_endpoint`: uploads would still go to the document's own address.
    document["rootUrl"] = document["baseUrl"] = document["mtlsRootUrl"] = f"{sandbox.url}/dv360/"
    return build_from_document(document, credentials=credentials(sandbox, token)).advertisers()


def _date(days: int) -> dict[str, int]:
    day = datetime.now(UTC).date() + timedelta(days=days)
    return {"year": day.year, "month": day.month, "day": day.day}


def _flight() -> dict[str, Any]:
    return {"startDate": _date(30), "endDate": _date(60)}


def _campaign(**changes: Any) -> dict[str, Any]:
    body = {
        "displayName": "SDK campaign",
        "entityStatus": _PAUSED,
        "campaignGoal": {
            "campaignGoalType": "CAMPAIGN_GOAL_TYPE_BRAND_AWARENESS",
            "performanceGoal": {
                "performanceGoalType": "PERFORMANCE_GOAL_TYPE_CPM",
                "performanceGoalAmountMicros": "5000000",
            },
        },
        "campaignFlight": {"plannedDates": _flight()},
        "frequencyCap": {"maxImpressions": 3, "timeUnit": "TIME_UNIT_DAYS", "timeUnitCount": 1},
    }
    return {**body, **changes}


def _order(campaign: str) -> dict[str, Any]:
    return {
        "campaignId": campaign,
        "displayName": "SDK order",
        "entityStatus": "ENTITY_STATUS_DRAFT",
        "optimizationObjective": "NO_OBJECTIVE",
        "pacing": {"pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_EVEN"},
        "frequencyCap": {"unlimited": True},
        "kpi": {"kpiType": "KPI_TYPE_CPM", "kpiAmountMicros": "5000000"},
        "budget": {
            "budgetUnit": "BUDGET_UNIT_CURRENCY",
            "budgetSegments": [{"budgetAmountMicros": "1000000000", "dateRange": _flight()}],
        },
    }


def _line(order: str, creative: str) -> dict[str, Any]:
    return {
        "insertionOrderId": order,
        "displayName": "SDK line item",
        "lineItemType": "LINE_ITEM_TYPE_DISPLAY_DEFAULT",
        "entityStatus": "ENTITY_STATUS_DRAFT",
        "flight": {"flightDateType": "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED"},
        "budget": {"budgetAllocationType": "LINE_ITEM_BUDGET_ALLOCATION_TYPE_FIXED", "maxAmount": "1000000000"},
        "pacing": {"pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_EVEN"},
        "frequencyCap": {"unlimited": True},
        "partnerRevenueModel": {
            "markupType": "PARTNER_REVENUE_MODEL_MARKUP_TYPE_TOTAL_MEDIA_COST_MARKUP",
            "markupAmount": "0",
        },
        "bidStrategy": {"fixedBid": {"bidAmountMicros": "2000000"}},
        "creativeIds": [creative],
        "containsEuPoliticalAds": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
    }


#: The smallest PNG there is: one pixel.
_PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

_CREATIVE = {
    "displayName": "SDK creative",
    "entityStatus": _ACTIVE,
    "creativeType": "CREATIVE_TYPE_STANDARD",
    "hostingSource": "HOSTING_SOURCE_HOSTED",
    "dimensions": {"widthPixels": 300, "heightPixels": 250},
    "assets": [{"asset": {"mediaId": "217343370864827"}, "role": "ASSET_ROLE_MAIN"}],
    "exitEvents": [{"type": "EXIT_EVENT_TYPE_DEFAULT", "url": "https://shop.acme.example/spring"}],
}


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """Campaign, creative, insertion order and line item from their making to their end, then the errors."""
    all_ = _advertisers(sandbox)
    steps.does(
        "read the advertiser",
        lambda: all_.get(advertiserId=_ADVERTISER).execute(),
        lambda a: a["entityStatus"] == _ACTIVE and a["generalConfig"]["currencyCode"] == "EUR",
    )
    steps.does(
        "upload an asset",
        lambda: (
            all_.assets()
            .upload(
                advertiserId=_ADVERTISER,
                body={"filename": "sdk.png"},
                media_body=MediaInMemoryUpload(_PNG, mimetype="image/png"),
            )
            .execute()
        ),
        lambda a: bool(a["asset"]["mediaId"]),
    )
    made: dict[str, str] = {}

    def create(what: str, collection: Resource, key: str, body: Callable[[], dict[str, Any]]) -> None:
        answer = steps.does(
            f"create {what}",
            lambda: collection.create(advertiserId=_ADVERTISER, body=body()).execute(),
            lambda a: a[key].isdigit() and a["name"].endswith(a[key]),
        )
        made[key] = answer[key]

    create("a campaign", all_.campaigns(), "campaignId", _campaign)
    create("a creative", all_.creatives(), "creativeId", lambda: _CREATIVE)
    create("an insertion order", all_.insertionOrders(), "insertionOrderId", lambda: _order(made["campaignId"]))
    create("a line item", all_.lineItems(), "lineItemId", lambda: _line(made["insertionOrderId"], made["creativeId"]))
    _lists(all_, steps, made)
    _targeting(all_, steps, made["lineItemId"])
    _changes(all_, steps, made)
    _errors(sandbox, all_, steps, made)


def _lists(all_: Resource, steps: Steps, made: dict[str, str]) -> None:
    of = {"advertiserId": _ADVERTISER}
    steps.does(
        "list campaigns of a name",
        lambda: all_.campaigns().list(**of, filter='displayName="SDK campaign"', pageSize=10).execute(),
        lambda a: [c["campaignId"] for c in a["campaigns"]] == [made["campaignId"]],
    )
    steps.does(
        "list a campaign's orders",
        lambda: all_.insertionOrders().list(**of, filter=f'campaignId="{made["campaignId"]}"').execute(),
        lambda a: [o["insertionOrderId"] for o in a["insertionOrders"]] == [made["insertionOrderId"]],
    )
    steps.does(
        "list an order's line items",
        lambda: all_.lineItems().list(**of, filter=f'insertionOrderId="{made["insertionOrderId"]}"').execute(),
        lambda a: [i["lineItemId"] for i in a["lineItems"]] == [made["lineItemId"]],
    )
    steps.does("list creatives", lambda: all_.creatives().list(**of).execute(), lambda a: len(a["creatives"]) == 1)


def _targeting(all_: Resource, steps: Steps, line: str) -> None:
    option = {"geoRegionDetails": {"targetingOptionId": "2276"}}
    request = {"targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptions": [option]}
    steps.does(
        "target a country",
        lambda: (
            all_.lineItems()
            .bulkEditAssignedTargetingOptions(
                advertiserId=_ADVERTISER, body={"lineItemIds": [line], "createRequests": [request], "deleteRequests": []}
            )
            .execute()
        ),
        lambda a: a["updatedLineItemIds"] == [line],
    )
    steps.does(
        "read the targeting",
        lambda: all_.lineItems().bulkListAssignedTargetingOptions(advertiserId=_ADVERTISER, lineItemIds=[line]).execute(),
        lambda a: any("geoRegionDetails" in o["assignedTargetingOption"] for o in a["lineItemAssignedTargetingOptions"]),
    )


def _changes(all_: Resource, steps: Steps, made: dict[str, str]) -> None:
    things = {
        "lineItemId": all_.lineItems(),
        "insertionOrderId": all_.insertionOrders(),
        "campaignId": all_.campaigns(),
        "creativeId": all_.creatives(),
    }

    def patch(key: str, **fields: Any) -> Any:
        arguments = {"advertiserId": _ADVERTISER, key: made[key], "updateMask": ",".join(fields), "body": fields}
        return things[key].patch(**arguments).execute()

    steps.does(
        "rename the campaign",
        lambda: patch("campaignId", displayName="SDK campaign 2"),
        lambda a: a["displayName"] == "SDK campaign 2",
    )
    # A campaign goes on before its orders; all goes off from below.
    for key in ("campaignId", "insertionOrderId", "lineItemId"):
        steps.does(f"activate by {key}", lambda k=key: patch(k, entityStatus=_ACTIVE), lambda a: a["entityStatus"] == _ACTIVE)
    for status in (_PAUSED, _ARCHIVED):
        for key in ("lineItemId", "insertionOrderId", "campaignId"):
            steps.does(f"{status} by {key}", lambda k=key, s=status: patch(k, entityStatus=s))
            steps.does(
                f"read by {key}",
                lambda k=key: things[k].get(advertiserId=_ADVERTISER, **{k: made[k]}).execute(),
                lambda a, s=status: a["entityStatus"] == s,
            )
    steps.does("archive the creative", lambda: patch("creativeId", entityStatus=_ARCHIVED))
    for key, collection in things.items():
        steps.does(
            f"delete by {key}",
            lambda c=collection, k=key: c.delete(advertiserId=_ADVERTISER, **{k: made[k]}).execute(),
            lambda a: a in ({}, ""),
        )


def _errors(sandbox: Sandbox, all_: Resource, steps: Steps, gone: dict[str, str]) -> None:
    def code(wanted: int) -> Callable[[Any], bool]:
        return lambda error: error.status_code == wanted and bool(error.reason)

    def create(body: dict[str, Any]) -> Callable[[], Any]:
        return lambda: all_.campaigns().create(advertiserId=_ADVERTISER, body=body).execute()

    error = HttpError
    steps.refused("an enum that is none", create(_campaign(entityStatus="PAUSED")), error, code(400))
    missing = _campaign()
    del missing["campaignGoal"]
    steps.refused("a missing field", create(missing), error, code(400))
    steps.refused("an unknown field", create(_campaign(dispName="a")), error, code(400))
    steps.refused(
        "a campaign that is gone",
        lambda: all_.campaigns().get(advertiserId=_ADVERTISER, campaignId=gone["campaignId"]).execute(),
        error,
        code(404),
    )
    sandbox.fault(vendor="dv360", method="campaigns.create", status=429)
    steps.refused("throttled", create(_campaign()), error, code(429))
    sandbox.fault(vendor="dv360", method="campaigns.create", status=409)
    steps.refused("written by somebody else meanwhile", create(_campaign()), error, code(409))
    tokens(sandbox, steps, "dv360", lambda token: _advertisers(sandbox, token).get(advertiserId=_ADVERTISER).execute())
