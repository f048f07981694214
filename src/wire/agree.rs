//! Types and schemas agree: the same fields at every place, and every example survives the way through its type.

use super::schema;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserializer, Serialize, forward_to_deserialize_any};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Asks a type for the names of its fields, as `serde` spells them, and gives nothing.
struct FieldNames;

impl<'de> Deserializer<'de> for FieldNames {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom(fields.join(" ")))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The type's fields are exactly the properties that the schema has at this pointer.
pub(super) fn same_fields<T: DeserializeOwned>(name: &str, pointer: &str) {
    let (_, text) = schema::ALL.iter().find(|(n, _)| *n == name).expect("a schema");
    let schema: Value = serde_json::from_str(text).expect("JSON");
    let place = schema.pointer(pointer).expect(pointer);
    let properties = place["properties"].as_object().expect("properties");
    let in_schema: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    let answer = T::deserialize(FieldNames).err().expect("no value").to_string();
    let in_type: BTreeSet<&str> = answer.split(' ').collect();
    assert_eq!(
        in_type,
        in_schema,
        "{} and {name}{pointer}",
        std::any::type_name::<T>()
    );
}

/// Every example of the message: those inside its schema and those beside it.
pub(super) fn examples(name: &str) -> Vec<Value> {
    let (_, text) = schema::ALL.iter().find(|(n, _)| *n == name).expect("a schema");
    let schema: Value = serde_json::from_str(text).expect("JSON");
    let mut examples = schema["examples"].as_array().expect("examples").clone();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/examples");
    for file in [format!("{name}.json"), format!("{name}.full.json")] {
        if let Ok(text) = std::fs::read_to_string(folder.join(file)) {
            examples.push(serde_json::from_str(&text).expect(name));
        }
    }
    examples
}

/// Example → schema, and example → type → the same JSON.
fn tied<T: Serialize + DeserializeOwned>(name: &str) {
    same_fields::<T>(name, "");
    for example in examples(name) {
        assert_eq!(schema::validate(name, &example), [], "{name}");
        let typed: T = serde_json::from_value(example.clone()).expect(name);
        assert_eq!(serde_json::to_value(&typed).expect(name), example, "{name}");
    }
}

#[test]
fn types_and_schemas_agree() {
    use super::events::*;
    tied::<CampaignEvent>("campaign.live");
    tied::<CampaignEvent>("campaign.scheduled");
    tied::<ExecutionEvent>("execution.completed");
    tied::<RolledBack>("execution.rolled_back");
    tied::<PartialFailure>("execution.partial_failure");
    tied::<Blocked>("execution.blocked");
    tied::<Touchpoint>("execution.touchpoint");
    tied::<Escalated>("execution.escalated");
    tied::<super::command::LaunchCommand>("launch.command");
    tied::<super::control::Approval>("execution.approval");
    tied::<super::control::Control>("execution.control");
    tied::<crate::domain::tenant::Tenant>("tenant.onboarded");
}

#[test]
fn nested_types_and_schemas_agree() {
    use crate::domain::{error::LegError, plan::Schedule, tenant};
    for name in ["campaign.live", "campaign.scheduled"] {
        same_fields::<super::events::BudgetOut>(name, "/properties/budget");
        same_fields::<Schedule>(name, "/properties/schedule");
    }
    for name in [
        "execution.completed",
        "execution.rolled_back",
        "execution.partial_failure",
        "execution.escalated",
    ] {
        same_fields::<super::events::LegOut>(name, "/$defs/leg");
        same_fields::<LegError>(name, "/$defs/error");
    }
    same_fields::<super::events::StayOut>("execution.rolled_back", "/properties/stays/items");
    same_fields::<super::events::CheckOut>("execution.blocked", "/properties/checks/items");
    same_fields::<super::events::CheckOut>("execution.escalated", "/properties/checks/items");
    same_fields::<super::events::WaitedOut>("execution.escalated", "/properties/waited");
    same_fields::<tenant::Account>("tenant.onboarded", "/$defs/account");
    same_fields::<tenant::Policy>("tenant.onboarded", "/properties/policy");
    same_fields::<tenant::Limits>("tenant.onboarded", "/$defs/limits");
}

/// Every value of an enum that a type knows is in the schema, and the other way round.
#[test]
fn enumerations_agree() {
    use crate::domain::{
        error::ErrorClass,
        plan::Objective,
        saga::{CommandKind, LegState},
        tracking::Mode,
    };
    let listed = |name: &str, pointer: &str| -> BTreeSet<String> {
        let (_, text) = schema::ALL.iter().find(|(n, _)| *n == name).expect("a schema");
        let schema: Value = serde_json::from_str(text).expect("JSON");
        let values = schema
            .pointer(pointer)
            .and_then(Value::as_array)
            .expect(pointer)
            .clone();
        values
            .iter()
            .map(|v| v.as_str().expect("a text").to_owned())
            .collect()
    };
    let known = |names: Vec<&'static str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let reasons = known(
        crate::domain::clock::Reason::ALL
            .iter()
            .map(|v| v.as_str())
            .collect(),
    );
    assert_eq!(listed("execution.escalated", "/properties/reason/enum"), reasons);
    let classes = known(ErrorClass::ALL.iter().map(|v| v.as_str()).collect());
    assert_eq!(
        listed("execution.completed", "/$defs/error/properties/class/enum"),
        classes
    );
    let states = known(LegState::ALL.iter().map(|v| v.as_str()).collect());
    for name in ["completed", "partial_failure", "rolled_back", "escalated"] {
        let listed = listed(&format!("execution.{name}"), "/$defs/leg/properties/state/enum");
        assert_eq!(listed, states, "{name}");
    }
    let kinds = known(CommandKind::ALL.iter().map(|v| v.as_str()).collect());
    assert_eq!(listed("launch.command", "/properties/kind/enum"), kinds);
    let modes = known(Mode::ALL.iter().map(|v| v.as_str()).collect());
    assert_eq!(listed("campaign.live", "/properties/tracking_mode/enum"), modes);
    let objectives = known(Objective::ALL.iter().map(|v| v.as_str()).collect());
    assert_eq!(
        listed("plan.approved", "/$defs/campaign/properties/objective/enum"),
        objectives
    );
}
