"""Mistakes in Google Ads campaigns beyond search: display, shopping, Performance Max, demand gen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plants import Plant, Spoil
from plants.google_ads import change, operations
from records import Request


def _channel(name: str, kind: str = "campaign") -> Callable[[Request], bool]:
    """A request that makes a campaign of a channel, and something of a kind in it."""

    def check(request: Request) -> bool:
        campaigns = [o["create"] for o in operations(request, "campaign", "create")]
        fits = any(c.get("advertisingChannelType") == name for c in campaigns)
        return fits and bool(operations(request, kind, "create"))

    return check


def _multi_asset(request: Request) -> bool:
    """A demand gen campaign with an ad of images."""
    ads = [o["create"].get("ad", {}) for o in operations(request, "adGroupAd", "create")]
    return bool(ads) and "demandGenMultiAssetAd" in ads[0]


def _rule(rule: str, channel: str, kind: str, spoil: Spoil, because: str) -> Plant:
    return Plant(
        name=rule.replace("-", " "),
        vendor="google-ads",
        method="google-ads.mutate",
        spoil=spoil,
        by="sandbox",
        where=_channel(channel, kind),
        because=because,
        rule=f"google-ads-channels.{rule}",
    )


def _without_links(field_type: str) -> Spoil:
    """Performance Max without the links of one field type."""

    def spoil(request: Request) -> None:
        def kept(operation: dict[str, Any]) -> bool:
            for kind in ("assetGroupAsset", "campaignAsset"):
                link = operation.get(f"{kind}Operation", {}).get("create", {})
                if link.get("fieldType") == field_type:
                    return False
            return True

        request.json["mutateOperations"] = [o for o in request.json["mutateOperations"] if kept(o)]

    return spoil


def _in_ad(form: str, edit: Callable[[dict[str, Any]], Any]) -> Spoil:
    return change("adGroupAd", lambda resource: edit(resource["ad"][form]) and None)


def _in_shop(edit: Callable[[dict[str, Any]], Any]) -> Spoil:
    return change("campaign", lambda campaign: edit(campaign["shoppingSetting"]) and None)


def _shared(request: Request) -> None:
    operations(request, "campaignBudget", "create")[0]["create"]["explicitlyShared"] = True


def _manual(campaign: dict[str, Any]) -> None:
    for name in ("maximizeConversions", "maximizeConversionValue", "targetRoas", "targetCpa", "targetSpend"):
        campaign.pop(name, None)
    campaign["manualCpc"] = {}


_DISPLAY, _SHOPPING, _PMAX = "DISPLAY", "SHOPPING", "PERFORMANCE_MAX"

PLANTS = [
    _rule("shopping-names-its-merchant", _SHOPPING, "campaign", _in_shop(lambda s: s.pop("merchantId")), "REQUIRED"),
    _rule(
        "shopping-has-a-setting",
        _SHOPPING,
        "campaign",
        change("campaign", lambda c: c.pop("shoppingSetting")),
        "MISSING_SHOPPING_SETTING",
    ),
    _rule(
        "merchant-is-linked",
        _SHOPPING,
        "campaign",
        _in_shop(lambda s: s.update(merchantId="1")),
        "MERCHANT_ID_CANNOT_BE_ACCESSED",
    ),
    _rule("priority-to-two", _SHOPPING, "campaign", _in_shop(lambda s: s.update(campaignPriority=3)), "TOO_HIGH"),
    _rule(
        "ad-group-type-fits-channel",
        _SHOPPING,
        "adGroup",
        change("adGroup", lambda g: g.update(type="SEARCH_STANDARD")),
        "AD_GROUP_TYPE_NOT_VALID_FOR_ADVERTISING_CHANNEL_TYPE",
    ),
    _rule("asset-group-has-three-headlines", _PMAX, "assetGroup", _without_links("HEADLINE"), "NOT_ENOUGH_HEADLINE_ASSET"),
    _rule(
        "asset-group-has-two-descriptions", _PMAX, "assetGroup", _without_links("DESCRIPTION"), "NOT_ENOUGH_DESCRIPTION_ASSET"
    ),
    _rule(
        "asset-group-has-an-image", _PMAX, "assetGroup", _without_links("MARKETING_IMAGE"), "NOT_ENOUGH_MARKETING_IMAGE_ASSET"
    ),
    _rule(
        "brand-guidelines-link-a-name",
        _PMAX,
        "assetGroup",
        _without_links("BUSINESS_NAME"),
        "REQUIRED_BUSINESS_NAME_ASSET_NOT_LINKED",
    ),
    _rule("brand-guidelines-link-a-logo", _PMAX, "assetGroup", _without_links("LOGO"), "REQUIRED_LOGO_ASSET_NOT_LINKED"),
    _rule("performance-max-has-its-own-budget", _PMAX, "campaignBudget", _shared, "SHARED"),
    _rule("performance-max-does-not-bid-by-hand", _PMAX, "campaign", change("campaign", _manual), "BIDDING_STRATEGY"),
    _rule(
        "asset-group-has-a-final-url",
        _PMAX,
        "assetGroup",
        change("assetGroup", lambda g: g.pop("finalUrls")),
        "FINAL_URL_REQUIRED",
    ),
    _rule(
        "display-ad-has-a-square-image",
        _DISPLAY,
        "adGroupAd",
        _in_ad("responsiveDisplayAd", lambda ad: ad.pop("squareMarketingImages")),
        "TOO_FEW",
    ),
    _rule(
        "display-ad-names-the-business",
        _DISPLAY,
        "adGroupAd",
        _in_ad("responsiveDisplayAd", lambda ad: ad.pop("businessName")),
        "REQUIRED",
    ),
    _rule(
        "business-name-to-25",
        _DISPLAY,
        "adGroupAd",
        _in_ad("responsiveDisplayAd", lambda ad: ad.update(businessName="x" * 26)),
        "TOO_LONG",
    ),
    Plant(
        name="call to action is known",
        vendor="google-ads",
        method="google-ads.mutate",
        spoil=_in_ad("demandGenMultiAssetAd", lambda ad: ad.update(callToActionText="Grab it")),
        by="sandbox",
        where=_multi_asset,
        because="INVALID_CALL_TO_ACTION_TEXT",
        rule="google-ads-channels.call-to-action-is-known",
    ),
]
