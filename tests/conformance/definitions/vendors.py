"""The vendors whose definitions are at hand, one line each, and the parts of the sandbox that have none.

Must not hold any rule of a vendor.
"""

from __future__ import annotations

from definitions import Definitions
from definitions.discovery import Discovery
from definitions.google_ads import GoogleAds
from definitions.meta import Meta
from definitions.tiktok import Tiktok

#: By the sandbox's name of the vendor.
VENDORS: dict[str, Definitions] = {
    definitions.vendor: definitions
    for definitions in (
        GoogleAds(),
        Meta(),
        Tiktok(),
        Discovery("dv360", "displayvideo.v4"),
        Discovery("ga4-admin", "analyticsadmin.v1beta"),
        Discovery("ga4-data", "analyticsdata.v1beta"),
        Discovery(
            "merchant",
            "merchantapi.accounts_v1",
            "merchantapi.issueresolution_v1",
            "merchantapi.datasources_v1",
            "merchantapi.products_v1",
            "merchantapi.reports_v1",
        ),
    )
}

#: What the service also calls, and why there is nothing to hold it against.
WITHOUT: dict[str, str] = {
    "oauth": "a token endpoint is RFC 6749 and RFC 7523; google-auth renews its tokens there",
    "assets": "the asset library is the owner's own",
}

#: The modules of `sdk/`, and the client that each drives.
CLIENTS: dict[str, str] = {
    "google_ads": "google-ads (messages)",
    "meta": "facebook-business",
    "tiktok": "tiktok-business-api-sdk-official",
    "dv360": "google-api-python-client",
    "ga4": "google-analytics-admin, -data",
    "merchant": "google-shopping-merchant-*",
}

#: The modules of `plants/`.
PLANTED: tuple[str, ...] = ("google_ads", "google_channels", "meta", "tiktok", "dv360")

#: Where the sandbox's code of a vendor stands, below `src/sandbox/`.
SANDBOX_FOLDERS: dict[str, str] = {"google-ads": "google_ads", "meta": "meta", "tiktok": "tiktok", "dv360": "dv360"}
