"""The vendors that are judged, one line each, and the parts of the sandbox that have no vendor's definition.

A vendor is judged as soon as the sandbox has it. Must not hold any rule of a vendor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from definitions import Definitions
from definitions.discovery import Discovery
from definitions.google_ads import GoogleAds
from definitions.meta import Meta
from definitions.tiktok import Tiktok

_SANDBOX = Path(__file__).resolve().parents[3] / "src" / "sandbox"


@dataclass(frozen=True)
class Vendor:
    """One vendor."""

    #: Its code in `src/sandbox/`: a folder or a file.
    place: str
    #: One per name that the sandbox has for it.
    definitions: tuple[Definitions, ...] = ()
    #: The module of `sdk/` that drives it, and the client's name.
    client: tuple[str, str] | None = None
    #: The module of `plants/` with mistakes in its requests.
    plants: str = ""
    #: Its table in `rules.toml`.
    rules: str = ""

    @property
    def there(self) -> bool:
        """Whether the sandbox has it."""
        return (_SANDBOX / self.place).exists()


_MERCHANT = ("accounts_v1", "issueresolution_v1", "datasources_v1", "products_v1", "reports_v1")

_ALL = (
    Vendor("google_ads", (GoogleAds(),), ("google_ads", "google-ads (messages)"), "google_ads", "google-ads"),
    # Beyond search.
    Vendor("google_ads/asset_groups.rs", plants="google_channels", rules="google-ads-channels"),
    Vendor("meta", (Meta(),), ("meta", "facebook-business"), "meta", "meta"),
    Vendor("tiktok", (Tiktok(),), ("tiktok", "tiktok-business-api-sdk-official"), "tiktok", "tiktok"),
    Vendor("dv360", (Discovery("dv360", "displayvideo.v4"),), ("dv360", "google-api-python-client"), "dv360", "dv360"),
    Vendor(
        "ga4.rs",
        (Discovery("ga4-admin", "analyticsadmin.v1beta"), Discovery("ga4-data", "analyticsdata.v1beta")),
        ("ga4", "google-analytics-admin, -data"),
        rules="ga4",
    ),
    Vendor(
        "merchant",
        (Discovery("merchant", *(f"merchantapi.{part}" for part in _MERCHANT)),),
        ("merchant", "google-shopping-merchant-*"),
        rules="merchant",
    ),
)

#: Those that the sandbox has.
JUDGED = tuple(vendor for vendor in _ALL if vendor.there)

#: Their definitions, by the sandbox's name.
VENDORS: dict[str, Definitions] = {d.vendor: d for vendor in JUDGED for d in vendor.definitions}

#: What the service also calls, and why there is nothing to hold it against.
WITHOUT: dict[str, str] = {
    "oauth": "a token endpoint is RFC 6749 and RFC 7523; google-auth renews its tokens there",
    "assets": "the asset library is the owner's own",
}


def sandbox_code(vendor: Vendor) -> str:
    """The sandbox's Rust code of a vendor."""
    path = _SANDBOX / vendor.place.split("/")[0]
    files = [path] if path.is_file() else sorted(path.rglob("*.rs"))
    return "".join(file.read_text(encoding="utf-8") for file in files)
