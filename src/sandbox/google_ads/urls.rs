//! Google Ads' rules for URLs, suffixes, templates and custom parameters, which campaigns, ad groups and ads share.
//!
//! Must not know which resource it looks at. Sources: `errors/url_field_error.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/errors>,
//! <https://support.google.com/searchads/answer/6367605> (custom parameters).

use super::errors::Fault;
use serde_json::{Map, Value};
use url::Url;

/// No published number was found; a mirror of the feature (Microsoft's) documents eight.
const MOST_PARAMETERS: usize = 8;

/// Checks `finalUrlSuffix`, `trackingUrlTemplate` and `urlCustomParameters` where they are set.
pub(super) fn tracking(fields: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(suffix) = fields.get("finalUrlSuffix").and_then(Value::as_str) {
        if suffix.starts_with(['?', '&', '#']) || suffix.contains(char::is_whitespace) {
            faults.push(
                bad(
                    "FINAL_URL_SUFFIX_MALFORMED",
                    "The final url suffix is malformed.",
                    suffix,
                )
                .at("final_url_suffix"),
            );
        }
        if ["{lpurl}", "{ignore}", "{unescapedlpurl}", "{escapedlpurl}"]
            .iter()
            .any(|tag| suffix.contains(tag))
        {
            let fault = bad(
                "INVALID_TAG_IN_FINAL_URL_SUFFIX",
                "A tag is not allowed in the final url suffix.",
                suffix,
            );
            faults.push(fault.at("final_url_suffix"));
        }
    }
    if let Some(template) = fields.get("trackingUrlTemplate").and_then(Value::as_str)
        && !template.is_empty()
    {
        let tags = ["{lpurl", "{unescapedlpurl", "{escapedlpurl", "{ignore}"];
        if !tags.iter().any(|tag| template.contains(tag)) {
            let fault = bad(
                "MISSING_TRACKING_URL_TEMPLATE_TAG",
                "The tracking template has no {lpurl}.",
                template,
            );
            faults.push(fault.at("tracking_url_template"));
        }
    }
    faults.extend(parameters(fields));
    faults
}

fn parameters(fields: &Map<String, Value>) -> Vec<Fault> {
    const AT: &str = "url_custom_parameters";
    let Some(items) = fields.get("urlCustomParameters").and_then(Value::as_array) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if items.len() > MOST_PARAMETERS {
        let fault = bad(
            "URL_CUSTOM_PARAMETERS_COUNT_EXCEEDS_LIMIT",
            "There are too many custom parameters.",
            "",
        );
        faults.push(fault.at(AT));
    }
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let key = item["key"].as_str().unwrap_or("");
        if key.is_empty() || key.len() > 16 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let fault = bad(
                "INVALID_CHARACTERS_IN_URL_CUSTOM_PARAMETER_KEY",
                "The key is not alphanumeric.",
                key,
            );
            faults.push(fault.item(AT, index).at("key"));
        }
        if seen.contains(&key) {
            let fault =
                Fault::new("distinctError", "DUPLICATE_ELEMENT", "The key occurs twice.").because(key);
            faults.push(fault.item(AT, index).at("key"));
        }
        seen.push(key);
        match item["value"].as_str() {
            None => {
                let fault = bad("NULL_CUSTOM_PARAMETER_VALUE", "The value is missing.", key);
                faults.push(fault.item(AT, index).at("value"));
            }
            Some(value) if value.len() > 200 => {
                let fault =
                    Fault::new("stringLengthError", "TOO_LONG", "The value is too long.").because(value);
                faults.push(fault.item(AT, index).at("value"));
            }
            Some(value) if value.contains(char::is_whitespace) => {
                let code = "INVALID_CHARACTERS_IN_URL_CUSTOM_PARAMETER_VALUE";
                faults.push(
                    bad(code, "The value contains spaces.", value)
                        .item(AT, index)
                        .at("value"),
                );
            }
            Some(_) => {}
        }
    }
    faults
}

/// Checks `finalUrls` of an ad: at least one, http or https, with a host.
pub(super) fn final_urls(ad: &Map<String, Value>) -> Vec<Fault> {
    let urls = ad
        .get("finalUrls")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if urls.is_empty() {
        return vec![Fault::required("final_urls")];
    }
    urls.iter()
        .enumerate()
        .filter_map(|(index, url)| {
            let url = url.as_str().unwrap_or("");
            let fault = match Url::parse(url) {
                Err(url::ParseError::RelativeUrlWithoutBase) => bad(
                    "MISSING_PROTOCOL_IN_FINAL_URL",
                    "The protocol (http:// or https://) is missing.",
                    url,
                ),
                Err(_) => bad("MALFORMED_FINAL_URL", "The final url is malformed.", url),
                Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => bad(
                    "INVALID_PROTOCOL_IN_FINAL_URL",
                    "The protocol is not allowed.",
                    url,
                ),
                Ok(parsed) if parsed.host_str().is_none_or(|h| !h.contains('.')) => bad(
                    "INVALID_TLD_IN_FINAL_URL",
                    "The host has no top level domain.",
                    url,
                ),
                Ok(_) => return None,
            };
            Some(fault.item("final_urls", index))
        })
        .collect()
}

fn bad(code: &str, message: &str, trigger: &str) -> Fault {
    Fault::new("urlFieldError", code, message).because(trigger)
}
