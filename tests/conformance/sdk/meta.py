"""`facebook_business` against the sandbox.

Never through `FacebookAdsApi.init`: by default that installs a crash reporter that speaks to Meta.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from typing import Any

from facebook_business.adobjects.ad import Ad
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.adcreative import AdCreative
from facebook_business.adobjects.adset import AdSet
from facebook_business.adobjects.advideo import AdVideo
from facebook_business.adobjects.campaign import Campaign
from facebook_business.adobjects.productcatalog import ProductCatalog
from facebook_business.api import FacebookAdsApi
from facebook_business.apiconfig import ads_api_config
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from sandbox import Sandbox
from sdk import Steps


def _api(sandbox: Sandbox, token: str = "sandbox-meta-token") -> FacebookAdsApi:
    class Local(FacebookSession):
        """The SDK's session with the one thing changed that has to be."""

        GRAPH = f"{sandbox.url}/meta"

    session = Local(app_id="1", app_secret="sandbox-meta-secret", access_token=token)
    return FacebookAdsApi(session, api_version=ads_api_config["API_VERSION"], enable_debug_logger=False)


def _code(code: int, subcode: int | None = None) -> Callable[[Any], bool]:
    return lambda error: error.api_error_code() == code and (subcode is None or error.api_error_subcode() == subcode)


#: The smallest PNG there is: one pixel.
_PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

_CAMPAIGN = {
    "name": "SDK campaign",
    "objective": "OUTCOME_TRAFFIC",
    "status": "PAUSED",
    "special_ad_categories": [],
    "daily_budget": 5000,
    "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
}


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """Campaign, ad set, creative and ad from their making to their end, then the errors."""
    # The SDK warns of the mistakes that are made here on purpose.
    warnings.filterwarnings("ignore", module="facebook_business")
    api = _api(sandbox)
    account = AdAccount("act_42", api=api)
    steps.does(
        "read the account",
        lambda: account.api_get(fields=["account_status", "currency", "timezone_name", "funding_source", "user_tasks"]),
        lambda a: a["account_status"] == 1 and a["currency"] == "EUR",
    )
    campaign = steps.does("create a campaign", lambda: account.create_campaign(params=_CAMPAIGN), lambda c: c["id"].isdigit())
    ad_set = steps.does(
        "create an ad set",
        lambda: account.create_ad_set(
            params={
                "name": "SDK ad set",
                "campaign_id": campaign["id"],
                "billing_event": "IMPRESSIONS",
                "optimization_goal": "LINK_CLICKS",
                "destination_type": "WEBSITE",
                "targeting": {
                    "geo_locations": {"countries": ["DE"]},
                    "targeting_automation": {"advantage_audience": 0},
                },
                "dsa_beneficiary": "ACME",
                "dsa_payor": "ACME",
                "status": "PAUSED",
            }
        ),
        lambda s: s["id"].isdigit(),
    )
    # The SDK gives back an object of no class here (`AbstractCrudObject`).
    ad_set = AdSet(ad_set["id"], api=api)
    creative = steps.does(
        "create a creative",
        lambda: account.create_ad_creative(
            params={
                "name": "SDK creative",
                "object_story_spec": {
                    "page_id": "104501234567890",
                    "link_data": {
                        "link": "https://shop.acme.example/spring",
                        "message": "Light as air.",
                        "image_hash": "2e6348bcf5d746f98ec3194175d70940",
                        "call_to_action": {"type": "SHOP_NOW"},
                    },
                },
                "url_tags": "utm_source=facebook&utm_campaign={{campaign.id}}",
            }
        ),
        lambda c: c["id"].isdigit(),
    )
    ad = steps.does(
        "create an ad",
        lambda: account.create_ad(
            params={
                "name": "SDK ad",
                "adset_id": ad_set["id"],
                "creative": {"creative_id": creative["id"]},
                "status": "PAUSED",
            }
        ),
        lambda a: a["id"].isdigit(),
    )
    _lists(steps, account, campaign)
    _assets(steps, account)
    _catalogs(steps, api)
    _changes(steps, campaign, ad_set, creative, ad)
    _errors(sandbox, steps, account, campaign)


def _lists(steps: Steps, account: AdAccount, campaign: Campaign) -> None:
    fields = ["id", "name", "status", "effective_status"]
    steps.does(
        "list campaigns, one page after the other",
        lambda: [c["name"] for c in account.get_campaigns(fields=fields, params={"effective_status": ["PAUSED"], "limit": 1})],
        lambda names: "SDK campaign" in names,
    )
    by_name = [{"field": "name", "operator": "EQUAL", "value": "SDK campaign"}]
    steps.does(
        "list campaigns of one name",
        lambda: [c["id"] for c in account.get_campaigns(fields=fields, params={"filtering": by_name})],
        lambda ids: ids == [campaign["id"]],
    )
    steps.does(
        "list a campaign's ad sets",
        lambda: [s["name"] for s in campaign.get_ad_sets(fields=fields)],
        lambda names: names == ["SDK ad set"],
    )
    steps.does(
        "list a campaign's ads with their creatives",
        lambda: [a["creative"]["name"] for a in campaign.get_ads(fields=[*fields, "creative{id,name,url_tags}"])],
        lambda names: names == ["SDK creative"],
    )
    steps.does(
        "insights of a campaign",
        lambda: list(campaign.get_insights(fields=["spend"], params={"date_preset": "maximum"})),
    )
    steps.does("the smallest budgets", lambda: list(account.get_minimum_budgets()), lambda rows: len(rows) > 0)


def _assets(steps: Steps, account: AdAccount) -> None:
    image = steps.does(
        "upload an image",
        lambda: account.create_ad_image(params={"bytes": base64.b64encode(_PNG).decode()}),
        lambda i: len(i["hash"]) == 32,
    )
    steps.does(
        "list images of a hash",
        lambda: [i["hash"] for i in account.get_ad_images(fields=["hash", "status"], params={"hashes": [image["hash"]]})],
        lambda hashes: hashes == [image["hash"]],
    )
    video = steps.does(
        "upload a video by its address",
        lambda: account.create_ad_video(params={"file_url": "https://assets.example/clip.mp4", "title": "SDK video"}),
        lambda v: v["id"].isdigit(),
    )
    steps.does(
        "read whether a video is ready",
        lambda: AdVideo(video["id"], api=account.get_api()).api_get(fields=["id", "title", "status"]),
        lambda v: v["status"]["video_status"] in {"processing", "ready"},
    )
    steps.does(
        "list videos of a title",
        lambda: [v["id"] for v in account.get_ad_videos(fields=["id", "title"], params={"title": "SDK video"})],
        lambda ids: ids == [video["id"]],
    )


def _catalogs(steps: Steps, api: FacebookAdsApi) -> None:
    catalog = ProductCatalog("900001", api=api)
    steps.does(
        "read a catalog", lambda: catalog.api_get(fields=["id", "name", "product_count"]), lambda c: c["product_count"] > 0
    )
    steps.does(
        "list what is wrong with it", lambda: list(catalog.get_diagnostics(fields=["type", "severity", "affected_channels"]))
    )
    feeds = steps.does("list its feeds", lambda: list(catalog.get_product_feeds(fields=["id", "name", "schedule"])), bool)
    uploads = steps.does(
        "list a feed's uploads", lambda: list(feeds[0].get_uploads(fields=["id", "end_time", "error_count"])), bool
    )
    steps.does(
        "list an upload's errors",
        lambda: list(uploads[0].get_errors(fields=["severity", "summary"], params={"error_priority": "HIGH"})),
    )


def _changes(steps: Steps, campaign: Campaign, ad_set: AdSet, creative: AdCreative, ad: Ad) -> None:
    fields = ["id", "name", "status", "effective_status", "daily_budget", "updated_time"]
    steps.does(
        "read a campaign",
        lambda: campaign.api_get(fields=fields),
        lambda c: c["status"] == "PAUSED" and c["daily_budget"] == "5000",
    )
    steps.does(
        "update a campaign",
        lambda: campaign.api_update(params={"name": "SDK campaign 2", "daily_budget": 6000}),
    )
    steps.does(
        "read what was changed",
        lambda: Campaign(campaign["id"], api=campaign.get_api()).api_get(fields=fields),
        lambda c: c["name"] == "SDK campaign 2" and c["daily_budget"] == "6000",
    )
    for thing in (ad, ad_set, campaign):
        kind = type(thing).__name__.lower()
        for status in ("ACTIVE", "PAUSED"):
            steps.does(f"set a {kind} {status}", lambda t=thing, s=status: t.api_update(params={"status": s}))
            steps.does(
                f"read a {kind}'s status",
                lambda t=thing: type(t)(t["id"], api=t.get_api()).api_get(fields=["status", "effective_status"]),
                lambda t, s=status: t["status"] == s,
            )
    batch = campaign.get_api().new_batch()
    answers: list[dict] = []
    steps.does("reads in a batch", lambda: _batched(batch, [campaign, ad_set, ad], answers), lambda n: n == 3)
    for thing in (ad, creative, ad_set, campaign):
        steps.does(f"delete a {type(thing).__name__.lower()}", lambda t=thing: t.api_delete())


def _batched(batch: Any, things: list[Any], answers: list[dict[str, Any]]) -> int:
    for thing in things:
        thing.api_get(fields=["id", "name"], batch=batch, success=lambda r: answers.append(r.json()))
    left = batch.execute()
    if left is not None:
        raise RuntimeError("the batch has operations left without an answer")
    return len([a for a in answers if a["name"].startswith("SDK")])


def _errors(sandbox: Sandbox, steps: Steps, account: AdAccount, campaign: Campaign) -> None:
    error = FacebookRequestError

    def create(**changes: Any) -> Callable[[], Any]:
        params = {k: v for k, v in {**_CAMPAIGN, **changes}.items() if v is not None}
        return lambda: account.create_campaign(params=params)

    steps.refused("an objective that is none", create(objective="TRAFFIC_JAM"), error, _code(100))
    steps.refused("no special_ad_categories", create(special_ad_categories=None), error, _code(100))
    steps.refused("a budget with a fraction", create(daily_budget="49.99"), error, _code(100))
    steps.refused("an unknown parameter", create(dayly_budget=5000), error, _code(100))
    steps.refused(
        "a campaign that is gone",
        lambda: campaign.api_update(params={"daily_budget": 1}),
        error,
        lambda e: e.http_status() == 400,
    )
    steps.refused("an object that never was", lambda: Campaign("1", api=account.get_api()).api_get(), error, _code(100, 33))
    sandbox.fault(vendor="meta", method="campaigns.create", error="80004/2446079")
    steps.refused("throttled", create(), error, _code(80004, 2446079))
    sandbox.fault(vendor="meta", method="campaigns.create", error="2")
    steps.refused("temporarily down", create(), error, lambda e: e.api_transient_error())
    expired = AdAccount("act_42", api=_api(sandbox, "EAAB-someone-elses"))
    steps.refused("a token that is not valid", lambda: expired.api_get(fields=["currency"]), error, _code(190))
    sandbox.world(token_expired={"meta": 1})
    steps.refused("an expired token", lambda: account.api_get(fields=["currency"]), error, _code(190))
