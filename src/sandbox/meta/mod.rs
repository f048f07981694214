//! Stub.
use super::http::{Answer, Call, Described, Vendor};
use super::world::World;
use serde_json::{Value, json};
pub(super) const VENDOR: Vendor = Vendor {
    name: "meta",
    mount: "/meta",
    describe,
    answer,
    error,
    configure,
};
fn describe(_: &World, _: &Call<'_>) -> Described {
    Described {
        method: "meta.other".into(),
        account: String::new(),
    }
}
fn answer(_: &mut World, _: &Call<'_>) -> Answer {
    Answer::json(501, &json!({}))
}
fn error(_: &mut World, status: u16, _: Option<&str>) -> Answer {
    Answer::json(status, &json!({}))
}
fn configure(_: &mut World, _: &str, _: &str, _: &Value) -> Result<(), String> {
    Ok(())
}
