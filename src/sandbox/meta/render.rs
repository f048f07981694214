//! Reading objects: the `fields` parameter, nested as deep as it goes.
//!
//! Must not choose objects (`lists.rs` does). Source: <https://developers.facebook.com/docs/graph-api/guides/field-expansion>.

use super::api::Api;
use super::errors::Fault;
use super::media;
use super::status::effective;
use super::{NAME, edge_of};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

/// One field that is asked for, and what is asked of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    name: String,
    inner: Vec<Asked>,
}

/// Reads `id,name,adlabels{id,name},adsets.limit(5){id}`.
pub(super) fn parse(text: &str) -> Result<Vec<Asked>, Fault> {
    let mut rest = text.trim();
    let asked = list(&mut rest)?;
    if rest.is_empty() {
        Ok(asked)
    } else {
        Err(syntax(text))
    }
}

fn syntax(text: &str) -> Fault {
    Fault::new(
        2500,
        format!("Syntax error \"Expected end of string instead of \"{text}\".\""),
    )
}

fn list(rest: &mut &str) -> Result<Vec<Asked>, Fault> {
    let mut out = Vec::new();
    loop {
        let end = rest.find([',', '{', '}', '.', '(']).unwrap_or(rest.len());
        let name = rest[..end].trim().to_owned();
        *rest = &rest[end..];
        // Modifiers such as `.limit(5)` are accepted; the sandbox always gives the whole edge.
        while rest.starts_with('.') {
            let close = rest.find(')').ok_or_else(|| syntax(rest))?;
            *rest = &rest[close + 1..];
        }
        let mut inner = Vec::new();
        if let Some(after) = rest.strip_prefix('{') {
            *rest = after;
            inner = list(rest)?;
            *rest = rest.strip_prefix('}').ok_or_else(|| syntax(rest))?;
        }
        if !name.is_empty() {
            out.push(Asked { name, inner });
        }
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Ok(out),
        }
    }
}

/// An object with the fields asked for; its id is always there.
pub(super) fn object(world: &World, handle: Handle, asked: &[Asked]) -> Result<Value, Fault> {
    let object = world.store.get(handle);
    let mut out = Map::new();
    for field in asked {
        if let Some(value) = field_value(world, handle, object, field)? {
            out.insert(field.name.clone(), value);
        }
    }
    out.insert("id".into(), object.key.clone().into());
    Ok(Value::Object(out))
}

fn field_value(
    world: &World,
    handle: Handle,
    object: &Object,
    asked: &Asked,
) -> Result<Option<Value>, Fault> {
    let name = asked.name.as_str();
    let edge = edge_of(object.kind);
    if let Some(kind) = child_edge(object.kind, name) {
        let mut children = Vec::new();
        collect(world, handle, kind, &mut children);
        let data = children
            .iter()
            .map(|c| self::object(world, *c, &asked.inner))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Some(json!({"data": data})));
    }
    if !Api::get().has("fields", edge, name) {
        let message = format!("(#100) Tried accessing nonexisting field ({name}) on node type ({edge})");
        return Err(Fault::new(100, message));
    }
    let referred = |kind: &str| -> Option<Handle> {
        let mut up = object.parent;
        while let Some(parent) = up {
            if world.store.get(parent).kind == kind {
                return Some(parent);
            }
            up = world.store.get(parent).parent;
        }
        None
    };
    let value = match (object.kind, name) {
        ("campaign" | "adset" | "ad", "effective_status") => Some(effective(world, handle).into()),
        ("campaign" | "adset" | "ad", "configured_status") => object.fields.get("status").cloned(),
        ("adset" | "ad", "campaign") => referred("campaign")
            .map(|h| self::object(world, h, &asked.inner))
            .transpose()?,
        ("ad", "adset") => referred("adset")
            .map(|h| self::object(world, h, &asked.inner))
            .transpose()?,
        ("ad", "creative") => {
            let id = object
                .fields
                .get("creative")
                .and_then(|c| c["id"].as_str())
                .unwrap_or("");
            world
                .store
                .find(NAME, id)
                .map(|h| self::object(world, h, &asked.inner))
                .transpose()?
        }
        ("ad", "issues_info" | "ad_review_feedback") if effective(world, handle) == "DISAPPROVED" => {
            Some(if name == "issues_info" {
                json!([{"level": "AD", "error_code": 1_815_869, "error_type": "HARD_ERROR",
                    "error_summary": "Ad disapproved", "error_message": "The ad does not follow the policies."}])
            } else {
                json!({"global": {"Unacceptable Business Practices": "The ad does not follow the policies."}})
            })
        }
        ("advideo", "status") => Some(json!({"video_status": media::status(world, handle)})),
        (_, "adlabels") => object
            .fields
            .get("adlabels")
            .map(|labels| narrowed(labels, &asked.inner)),
        _ => object.fields.get(name).cloned(),
    };
    Ok(value)
}

/// A value that is no object of the store, with the fields asked for; its id is always there.
pub(super) fn picked(table: &str, value: &Map<String, Value>, asked: &[Asked]) -> Result<Value, Fault> {
    let mut out = Map::new();
    for field in asked {
        if !Api::get().has("fields", table, &field.name) {
            let message = format!(
                "(#100) Tried accessing nonexisting field ({}) on node type ({table})",
                field.name
            );
            return Err(Fault::new(100, message));
        }
        if let Some(value) = value.get(&field.name) {
            out.insert(field.name.clone(), value.clone());
        }
    }
    if let Some(id) = value.get("id") {
        out.insert("id".into(), id.clone());
    }
    Ok(Value::Object(out))
}

/// Which kind an edge holds below an object, where it can be asked for as a field.
fn child_edge(kind: &str, name: &str) -> Option<&'static str> {
    match (kind, name) {
        ("account" | "campaign", "adsets") => Some("adset"),
        ("account" | "campaign" | "adset", "ads") => Some("ad"),
        ("account", "campaigns") => Some("campaign"),
        _ => None,
    }
}

/// Everything of a kind below an object that a list would show.
fn collect(world: &World, handle: Handle, kind: &str, out: &mut Vec<Handle>) {
    for child in &world.store.get(handle).children {
        let shown =
            world.store.visible(*child) && !matches!(effective(world, *child), "DELETED" | "ARCHIVED");
        if world.store.get(*child).kind == kind && shown {
            out.push(*child);
        }
        collect(world, *child, kind, out);
    }
}

fn narrowed(labels: &Value, asked: &[Asked]) -> Value {
    let Some(items) = labels.as_array() else {
        return labels.clone();
    };
    if asked.is_empty() {
        return labels.clone();
    }
    let narrow = |label: &Value| {
        let fields = asked
            .iter()
            .filter_map(|a| Some((a.name.clone(), label.get(&a.name)?.clone())));
        Value::Object(fields.chain([("id".to_owned(), label["id"].clone())]).collect())
    };
    Value::Array(items.iter().map(narrow).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_nest() {
        let asked = parse("id,adlabels{id,name}, adsets.limit(5).after(x){id,ads{id}},name").unwrap();
        let names: Vec<&str> = asked.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["id", "adlabels", "adsets", "name"]);
        assert_eq!(asked[2].inner[1].inner[0].name, "id");
        assert!(parse("id{").is_err());
    }
}
