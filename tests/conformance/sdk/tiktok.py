"""`tiktok-business-api-sdk-official` against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from business_api_client import ApiClient, Configuration, api, models
from business_api_client.tiktok_business.tiktok_exceptions import TiktokSDKError

from sandbox import Sandbox
from sdk import Steps

_ADVERTISER = "7001"
_TOKEN = "sandbox-tiktok-token"


def _client(sandbox: Sandbox) -> ApiClient:
    configuration = Configuration()
    configuration.host = f"{sandbox.url}/tiktok"
    return ApiClient(configuration)


def _utc(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")


class _Apis:
    """The SDK's interfaces, with the token and the advertiser filled in."""

    def __init__(self, sandbox: Sandbox) -> None:
        client = _client(sandbox)
        self.account = api.AccountManagementApi(client)
        self.campaigns = api.CampaignCreationApi(client)
        self.groups = api.AdgroupApi(client)
        self.ads = api.AdApi(client)
        self.files = api.FileApi(client)
        self.reports = api.ReportingApi(client)

    def campaign(self, **changes: Any) -> Any:
        fields = {
            "advertiser_id": _ADVERTISER,
            "campaign_name": "SDK campaign",
            "objective_type": "TRAFFIC",
            "budget_mode": "BUDGET_MODE_DAY",
            "budget": 80.0,
            "operation_status": "DISABLE",
        }
        return self.campaigns.campaign_create(_TOKEN, body=models.CampaignCreateBody(**{**fields, **changes}))

    def group(self, campaign_id: str, **changes: Any) -> Any:
        fields = {
            "advertiser_id": _ADVERTISER,
            "campaign_id": campaign_id,
            "adgroup_name": "SDK ad group",
            "promotion_type": "WEBSITE",
            "placement_type": "PLACEMENT_TYPE_AUTOMATIC",
            "location_ids": ["2921044"],
            "optimization_goal": "CLICK",
            "billing_event": "CPC",
            "bid_type": "BID_TYPE_NO_BID",
            "pacing": "PACING_MODE_SMOOTH",
            "budget_mode": "BUDGET_MODE_DAY",
            "budget": 30.0,
            "schedule_type": "SCHEDULE_START_END",
            "schedule_start_time": _utc(30),
            "schedule_end_time": _utc(60),
            "operation_status": "DISABLE",
        }
        return self.groups.adgroup_create(_TOKEN, body=models.AdgroupCreateBody(**{**fields, **changes}))

    def ad(self, adgroup_id: str, video_id: str, image_id: str) -> Any:
        creative = models.AdcreateCreatives(
            ad_name="SDK ad",
            identity_type="TT_USER",
            identity_id="7087654321000000001",
            ad_format="SINGLE_VIDEO",
            video_id=video_id,
            image_ids=[image_id],
            ad_text="Run into spring",
            call_to_action="LEARN_MORE",
            landing_page_url="https://shop.acme.example/?utm_campaign=__CAMPAIGN_ID__",
            operation_status="DISABLE",
        )
        body = models.AdCreateBody(advertiser_id=_ADVERTISER, adgroup_id=adgroup_id, creatives=[creative])
        return self.ads.ad_create(_TOKEN, body=body)


def _code(code: int) -> Callable[[Any], bool]:
    """The SDK keeps the code only in its exception's text."""
    return lambda error: f"Error Code: {code}," in str(error)


def _some_code(error: Any) -> bool:
    return "Error Code: 4" in str(error)


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """Campaign, ad group and ad from their making to their end, then the errors."""
    apis = _Apis(sandbox)
    steps.does(
        "read the advertiser",
        lambda: apis.account.advertiser_info([_ADVERTISER], _TOKEN, fields=["advertiser_id", "status", "currency", "timezone"]),
        lambda a: a["data"]["list"][0]["status"] == "STATUS_ENABLE",
    )
    image = steps.does(
        "upload an image by its address",
        lambda: apis.files.ad_image_upload(
            _TOKEN,
            advertiser_id=_ADVERTISER,
            file_name="SDK image",
            upload_type="UPLOAD_BY_URL",
            image_url="https://assets.example/acme/asset-img-001.jpg",
        ),
        lambda a: bool(a["data"]["image_id"]),
    )
    video = steps.does(
        "upload a video by its address",
        lambda: apis.files.ad_video_upload(
            _TOKEN,
            advertiser_id=_ADVERTISER,
            file_name="SDK video",
            upload_type="UPLOAD_BY_URL",
            video_url="https://assets.example/acme/asset-vid-001.mp4",
        ),
        lambda a: bool(a["data"][0]["video_id"] if isinstance(a["data"], list) else a["data"]["video_id"]),
    )
    campaign = steps.does("create a campaign", apis.campaign, lambda a: a["data"]["campaign_id"].isdigit())
    campaign_id = campaign["data"]["campaign_id"]
    group = steps.does("create an ad group", lambda: apis.group(campaign_id), lambda a: a["data"]["adgroup_id"].isdigit())
    group_id = group["data"]["adgroup_id"]
    videos = video["data"]
    video_id = (videos[0] if isinstance(videos, list) else videos)["video_id"]
    ad = steps.does(
        "create an ad", lambda: apis.ad(group_id, video_id, image["data"]["image_id"]), lambda a: bool(a["data"]["ad_ids"])
    )
    ad_id = ad["data"]["ad_ids"][0]
    _lists(apis, steps, campaign_id, group_id, ad_id)
    _changes(apis, steps, campaign_id, group_id, ad_id)
    _errors(sandbox, apis, steps, campaign_id)


def _lists(apis: _Apis, steps: Steps, campaign_id: str, group_id: str, ad_id: str) -> None:
    steps.does(
        "list campaigns of a name",
        lambda: apis.campaigns.campaign_get(
            _ADVERTISER, _TOKEN, filtering=models.FilteringCampaignGet(campaign_name="SDK campaign"), page=1, page_size=10
        ),
        lambda a: (
            [c["campaign_id"] for c in a["data"]["list"]] == [campaign_id] and a["data"]["page_info"]["total_number"] == 1
        ),
    )
    steps.does(
        "list a campaign's ad groups",
        lambda: apis.groups.adgroup_get(_ADVERTISER, _TOKEN, filtering=models.FilteringAdgroupGet(campaign_ids=[campaign_id])),
        lambda a: [g["adgroup_id"] for g in a["data"]["list"]] == [group_id],
    )
    steps.does(
        "list a campaign's ads",
        lambda: apis.ads.ad_get(_ADVERTISER, _TOKEN, filtering=models.FilteringAdGet(campaign_ids=[campaign_id])),
        lambda a: [x["ad_id"] for x in a["data"]["list"]] == [ad_id],
    )
    steps.does(
        "report on a campaign",
        lambda: apis.reports.report_integrated_get(
            "BASIC",
            _TOKEN,
            advertiser_id=_ADVERTISER,
            data_level="AUCTION_CAMPAIGN",
            dimensions=["campaign_id"],
            metrics=["spend"],
            query_lifetime=True,
        ),
        lambda a: isinstance(a["data"]["list"], list),
    )


def _changes(apis: _Apis, steps: Steps, campaign_id: str, group_id: str, ad_id: str) -> None:
    steps.does(
        "update a campaign",
        lambda: apis.campaigns.campaign_update(
            _TOKEN, body=models.CampaignUpdateBody(advertiser_id=_ADVERTISER, campaign_id=campaign_id, budget=90.0)
        ),
        lambda a: a["data"]["budget"] == 90,
    )

    def switch(status: str) -> list[Callable[[], Any]]:
        base = {"advertiser_id": _ADVERTISER, "operation_status": status}
        return [
            lambda: apis.ads.ad_status_update(_TOKEN, body=models.AdStatusUpdateBody(ad_ids=[ad_id], **base)),
            lambda: apis.groups.adgroup_status_update(
                _TOKEN, body=models.AdgroupStatusUpdateBody(adgroup_ids=[group_id], **base)
            ),
            lambda: apis.campaigns.campaign_status_update(
                _TOKEN, body=models.CampaignStatusUpdateBody(campaign_ids=[campaign_id], **base)
            ),
        ]

    for status in ("ENABLE", "DISABLE", "DELETE"):
        for what, call in zip(("an ad", "an ad group", "a campaign"), switch(status), strict=True):
            steps.does(f"{status} {what}", call)
        steps.does(
            f"read it after {status}",
            lambda: apis.campaigns.campaign_get(
                _ADVERTISER,
                _TOKEN,
                filtering=models.FilteringCampaignGet(campaign_ids=[campaign_id], primary_status="STATUS_ALL"),
            ),
            lambda a, s=status: a["data"]["list"][0]["operation_status"] == s,
        )


def _errors(sandbox: Sandbox, apis: _Apis, steps: Steps, gone: str) -> None:
    error = TiktokSDKError

    def named(name: str, **changes: Any) -> Callable[[], Any]:
        return lambda: apis.campaign(campaign_name=name, **changes)

    steps.refused("an objective that is none", named("e1", objective_type="FAME"), error, _code(40002))
    steps.refused("a budget below the floor", named("e2", budget=1.0), error, _code(40002))
    steps.does("a name", named("e3"))
    steps.refused("the same name again", named("e3"), error, _some_code)
    steps.refused("no objective", lambda: _without_objective(apis), error, _code(40002))
    steps.refused("a campaign that is gone", lambda: apis.group(gone), error, _some_code)
    steps.refused("a campaign that never was", lambda: apis.group("1"), error, _some_code)
    sandbox.fault(vendor="tiktok", method="campaign.create", error="40100")
    steps.refused("throttled", named("e4"), error, _code(40100))
    sandbox.fault(vendor="tiktok", method="campaign.create", error="50000")
    steps.refused("out of order", named("e5"), error, _code(50000))
    steps.refused("a token that is not valid", lambda: apis.account.advertiser_info([_ADVERTISER], "x"), error, _code(40105))
    sandbox.world(token_expired={"tiktok": 1})
    steps.refused("an expired token", lambda: apis.account.advertiser_info([_ADVERTISER], _TOKEN), error, _code(40102))


def _without_objective(apis: _Apis) -> Any:
    """The model does not let itself be made without, so that a plain body is sent."""
    body = {"advertiser_id": _ADVERTISER, "campaign_name": "e6", "budget_mode": "BUDGET_MODE_DAY", "budget": 80.0}
    return apis.campaigns.campaign_create(_TOKEN, body=body)
