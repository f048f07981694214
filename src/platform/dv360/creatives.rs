//! A creative: what it shows and where a click leads. Pure.
//!
//! Must not put `utm_*` into a URL, nor a macro: in creatives that DV360 hosts, click macros do not work, and which id
//! `${CAMPAIGN_ID}` means is documented nowhere (support.google.com/displayvideo/answer/2789508). What a click must carry (the
//! client's own ids) stands there literally; Google tags the click itself.

use super::mapping::{code, named};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan::{Ad, AdGroup, Crm};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

/// A format: its name in the plan, its channel, `CreativeType`, and whether it has a size.
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) channel: &'static str,
    pub(super) kind: &'static str,
    pub(super) sized: bool,
}

/// The formats that a plan may name.
pub(super) const FORMATS: [Format; 2] = [
    Format {
        name: "display_image",
        channel: "display",
        kind: "CREATIVE_TYPE_STANDARD",
        sized: true,
    },
    Format {
        name: "single_video",
        channel: "video",
        kind: "CREATIVE_TYPE_VIDEO",
        sized: false,
    },
];

/// The format of an ad.
pub(super) fn format(ad: &Ad) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.name == ad.format)
}

/// Where a click leads: the landing page without `utm_*`, with the client's own ids, each parameter of ours once.
pub(super) fn exit_url(landing: &Url, crm: &Crm) -> String {
    let (mut url, _) = without_utm(landing);
    let ours = [("kcid", &crm.kcid), ("kpv", &crm.kpv)];
    let ours: Vec<(&str, &String)> = ours
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .collect();
    if ours.is_empty() {
        return url.into();
    }
    let name_of = |pair: &str| parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
    let mut pairs: Vec<String> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| {
            let name = name_of(pair);
            !ours.iter().any(|(n, _)| name.as_deref() == Some(n))
        })
        .map(str::to_owned)
        .collect();
    for (name, value) in ours {
        let value: String = byte_serialize(value.as_bytes()).collect();
        pairs.push(format!("{name}={value}"));
    }
    url.set_query(Some(&pairs.join("&")));
    url.into()
}

fn missing(asset_id: &str, what: &str, remedy: &str) -> Box<LegError> {
    Box::new(LegError {
        field: Some(asset_id.to_owned()),
        ..LegError::new(
            ErrorClass::AssetMissing,
            "asset-missing",
            format!("asset {asset_id} {what}"),
            remedy,
        )
    })
}

/// The creative of an ad.
pub(super) fn creative(spec: &LegSpec, group: &AdGroup, ad: &Ad) -> Result<Desired, Box<LegError>> {
    let key = format!("creative/{}/{}", group.key, ad.key);
    let asset_id = ad.asset_ids.first().map_or("", String::as_str);
    let format = format(ad).ok_or_else(|| {
        let what = format!("DV360 has no format {}", ad.format);
        Box::new(LegError::new(
            ErrorClass::Validation,
            "dv360-format",
            what,
            "correct the plan",
        ))
    })?;
    let media = spec.asset_ref(asset_id, "media_id").ok_or_else(|| {
        missing(
            asset_id,
            "has no DV360 media id",
            "upload it to the advertiser, or give its media id in the asset library",
        )
    })?;
    let library = spec.assets.get(asset_id);
    let side = |planned: Option<u32>, known: Option<u32>| planned.or(known).filter(|s| *s > 0);
    let size = (
        side(ad.width, library.and_then(|a| a.width)),
        side(ad.height, library.and_then(|a| a.height)),
    );
    let (width, height) = match size {
        _ if !format.sized => (0, 0),
        (Some(width), Some(height)) => (width, height),
        (Some(_) | None, _) => {
            return Err(missing(
                asset_id,
                "has no known size",
                "say width and height in the plan's ad",
            ));
        }
    };
    let name = named(&format!("{}/{}/{}", spec.campaign_name, group.key, ad.key));
    let fields = json!({
        "displayName": name,
        "creativeType": format.kind,
        "hostingSource": "HOSTING_SOURCE_HOSTED",
        "dimensions": { "widthPixels": width, "heightPixels": height },
        "media": media,
        "exit": exit_url(&ad.landing_url, &spec.campaign.crm),
        "integrationCode": code(spec, &key),
    });
    Ok(Desired {
        key,
        kind: "creative",
        parent: Some("campaign".to_owned()),
        name: Some(name),
        fields,
        switchable: false,
    })
}

/// A creative as DV360 takes it, from its normal form. It cannot spend without a line item, so it is on from the start.
pub(super) fn body(fields: &Value) -> Value {
    json!({
        "displayName": fields["displayName"],
        "entityStatus": "ENTITY_STATUS_ACTIVE",
        "creativeType": fields["creativeType"],
        "hostingSource": fields["hostingSource"],
        "dimensions": fields["dimensions"],
        "assets": assets(&fields["media"]),
        "exitEvents": exits(&fields["exit"]),
        "integrationCode": fields["integrationCode"],
    })
}

/// `Creative.assets`.
pub(super) fn assets(media: &Value) -> Value {
    json!([{ "asset": { "mediaId": media }, "role": "ASSET_ROLE_MAIN" }])
}

/// `Creative.exitEvents`. Names are for creatives that hold more than images.
pub(super) fn exits(url: &Value) -> Value {
    json!([{ "type": "EXIT_EVENT_TYPE_DEFAULT", "url": url }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(landing: &str, kcid: Option<&str>, kpv: Option<&str>) -> String {
        let crm = Crm {
            kcid: kcid.map(str::to_owned),
            kpv: kpv.map(str::to_owned),
        };
        exit_url(&Url::parse(landing).unwrap(), &crm)
    }

    #[test]
    fn a_click_carries_the_clients_ids_once_and_no_utm() {
        assert_eq!(
            exit("https://a.example/p?x=1#f", None, None),
            "https://a.example/p?x=1#f"
        );
        assert_eq!(
            exit(
                "https://a.example/p?utm_source=q&x=%20a&kcid=old#f",
                Some("SKU 1&2"),
                Some("s")
            ),
            "https://a.example/p?x=%20a&kcid=SKU+1%262&kpv=s#f"
        );
        assert_eq!(
            exit("https://a.example/", Some("1"), None),
            "https://a.example/?kcid=1"
        );
        assert_eq!(
            exit("https://a.example/?k%63id=2", Some("1"), None),
            "https://a.example/?kcid=1"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_landing_url_stays_a_url_with_each_of_our_parameters_once(
            query in "[ -~]{0,40}", kcid in "\\PC{1,12}", kpv in proptest::option::of("\\PC{1,12}")
        ) {
            let mut landing = Url::parse("https://a.example/p").unwrap();
            landing.set_query(Some(&query));
            let crm = Crm { kcid: Some(kcid.clone()), kpv: kpv.clone() };
            let url = Url::parse(&exit_url(&landing, &crm)).unwrap();
            let values = |name: &str| -> Vec<String> {
                url.query_pairs().filter(|(n, _)| n == name).map(|(_, v)| v.into_owned()).collect()
            };
            proptest::prop_assert_eq!(values("kcid"), vec![kcid]);
            if let Some(kpv) = kpv {
                proptest::prop_assert_eq!(values("kpv"), vec![kpv]);
            }
            proptest::prop_assert!(url.query_pairs().all(|(n, _)| !n.to_ascii_lowercase().starts_with("utm_")));
        }
    }
}
