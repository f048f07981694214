//! Google's token endpoint: refresh tokens and signed assertions for access tokens.
//!
//! Any refresh token and any well-formed assertion is honoured until `POST /control/world` revokes it. Must not verify
//! signatures: the sandbox has no keys. Shapes: <https://developers.google.com/identity/protocols/oauth2/web-server#offline>
//! and <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>.

use super::http::{Answer, Call, Described, Vendor, no_accounts};
use super::world::World;
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The grant of a service account.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) const VENDOR: Vendor = Vendor {
    name: "oauth",
    mount: "/oauth",
    describe,
    answer,
    error: fault,
    configure: no_accounts,
};

fn describe(_: &World, call: &Call<'_>) -> Described {
    let method = if call.path == "/token" {
        "oauth.token"
    } else {
        "oauth.other"
    };
    Described {
        method: method.into(),
        account: String::new(),
    }
}

fn refuse(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": description}))
}

fn fault(_: &mut World, status: u16, error: Option<&str>) -> Answer {
    let status = if status == 0 { 400 } else { status };
    let default = if status >= 500 {
        "internal_failure"
    } else {
        "invalid_grant"
    };
    refuse(status, error.unwrap_or(default), "Told to by a fault.")
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if call.path != "/token" {
        return refuse(404, "not_found", "There is only /token here.");
    }
    if call.method != Method::POST {
        return refuse(405, "invalid_request", "Only POST is allowed.");
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(call.body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let (who, scope) = match field("grant_type") {
        "refresh_token" => {
            for name in ["client_id", "client_secret", "refresh_token"] {
                if field(name).is_empty() {
                    return refuse(
                        400,
                        "invalid_request",
                        &format!("Missing required parameter: {name}"),
                    );
                }
            }
            (
                field("refresh_token").to_owned(),
                "https://www.googleapis.com/auth/adwords".to_owned(),
            )
        }
        JWT_BEARER => match claims(field("assertion"), chrono::Utc::now().timestamp()) {
            Ok(claims) => claims,
            Err(what) => return refuse(400, "invalid_grant", what),
        },
        "" => return refuse(400, "invalid_request", "Missing required parameter: grant_type"),
        other => {
            return refuse(
                400,
                "unsupported_grant_type",
                &format!("Invalid grant_type: {other}"),
            );
        }
    };
    if world
        .switches
        .revoked
        .iter()
        .any(|revoked| revoked == "*" || *revoked == who)
    {
        return refuse(400, "invalid_grant", "Token has been expired or revoked.");
    }
    let (token, expires_in) = world.issue_token();
    Answer::json(
        200,
        &json!({"access_token": token, "expires_in": expires_in, "scope": scope, "token_type": "Bearer"}),
    )
}

/// The issuer and the scope of an assertion.
fn claims(assertion: &str, now: i64) -> Result<(String, String), &'static str> {
    let mut parts = assertion.split('.');
    let (Some(_), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("Bad Request");
    };
    let payload: Value = URL_SAFE_NO_PAD
        .decode(payload)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or("Invalid JWT: Failed to decode the payload.")?;
    if signature.is_empty() {
        return Err("Invalid JWT Signature.");
    }
    let (Some(issuer), Some(_)) = (payload["iss"].as_str(), payload["aud"].as_str()) else {
        return Err("Invalid JWT: iss and aud are required.");
    };
    let (Some(issued), Some(expires)) = (payload["iat"].as_i64(), payload["exp"].as_i64()) else {
        return Err("Invalid JWT: iat and exp are required.");
    };
    if expires <= now || issued > now + 300 || expires - issued > 3600 {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        );
    }
    Ok((
        issuer.to_owned(),
        payload["scope"].as_str().unwrap_or("").to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn ask(world: &mut World, form: &str) -> (u16, Value) {
        let call = Call {
            method: &Method::POST,
            path: "/token",
            query: "",
            headers: &HeaderMap::new(),
            body: form.as_bytes(),
        };
        let answer = answer(world, &call);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[test]
    fn a_refresh_token_is_honoured_until_it_is_revoked() {
        let mut world = World::new(1, 0);
        let form = "grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r1";
        let (status, body) = ask(&mut world, form);
        assert_eq!((status, body["token_type"].as_str()), (200, Some("Bearer")));
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {}", body["access_token"].as_str().unwrap());
        headers.insert("authorization", value.parse().unwrap());
        assert_eq!(world.bearer("google-ads", &headers), Ok(()));
        world.switches.revoked.push("r1".into());
        assert_eq!(ask(&mut world, form).1["error"], "invalid_grant");
        assert_eq!(ask(&mut world, "grant_type=refresh_token&client_id=c").0, 400);
    }

    #[test]
    fn an_assertion_must_be_fresh() {
        let mut world = World::new(1, 0);
        let now = world.now.timestamp();
        let assertion = |exp: i64| {
            let claims = json!({"iss": "a@b", "aud": "x", "scope": "s", "iat": now, "exp": exp});
            format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
        };
        let form = |exp| format!("grant_type={JWT_BEARER}&assertion={}", assertion(exp));
        assert_eq!(ask(&mut world, &form(now + 3600)).0, 200);
        assert_eq!(ask(&mut world, &form(now - 1)).1["error"], "invalid_grant");
    }
}
