//! The mutate engine: operations in order, temporary ids, field masks, all or nothing.
//!
//! What one resource demands lies in a file of its own; here is what holds for all. Must not know a single
//! resource's fields. Semantics: `services/google_ads_service.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/services> and
//! <https://developers.google.com/google-ads/api/docs/mutating/best-practices>.

use super::errors::{Fault, Step, failure, refuse};
use super::masks::{apply_mask, changes};
use super::request::{Form, Operation, operations};
use super::schema::camel;
use super::{NAME, asset_groups, campaigns, criteria, resource_name};
use crate::sandbox::google_rpc::bad_request;
use crate::sandbox::http::Answer;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// At most this many operations a request: <https://developers.google.com/google-ads/api/docs/best-practices/quotas>.
const MOST_OPERATIONS: usize = 10_000;

/// What a resource's own rules may say.
pub(super) type Ruling<T> = Result<T, Vec<Fault>>;

/// Makes an object of the fields that were sent.
pub(super) type Create = fn(&mut Tx<'_>, Map<String, Value>) -> Ruling<Handle>;
/// Checks the fields as they would be after an update.
pub(super) type Update = fn(&mut Tx<'_>, Handle, &mut Map<String, Value>) -> Ruling<()>;
/// Checks whether an object can be removed.
pub(super) type Remove = fn(&mut Tx<'_>, Handle) -> Ruling<()>;

/// One resource that can be mutated.
pub(super) struct Kind {
    /// `campaign`: its name in GAQL and in the store.
    pub(super) resource: &'static str,
    /// `campaigns`: its place in resource names and in paths.
    pub(super) collection: &'static str,
    /// `Campaign`: its message.
    pub(super) message: &'static str,
    /// Its id is made of others' ids, so it can have no temporary one.
    pub(super) composite: bool,
    /// Fields that only the vendor sets.
    pub(super) output_only: &'static [&'static str],
    /// Fields that cannot be changed once set.
    pub(super) immutable: &'static [&'static str],
    /// Fields that name another resource, and which.
    pub(super) references: &'static [(&'static str, &'static str)],
    pub(super) create: Option<Create>,
    /// Gets the fields as they would be; must check them. The engine then stores them.
    pub(super) update: Option<Update>,
    /// Runs before the object becomes `REMOVED`.
    pub(super) remove: Option<Remove>,
}

/// One request in progress.
pub(super) struct Tx<'w> {
    pub(super) world: &'w mut World,
    pub(super) customer: String,
    /// Temporary ids: the real resource name, or None if creating it failed.
    temporary: HashMap<String, Option<String>>,
    touched: HashSet<String>,
    /// The contents of the assets that this request creates.
    pub(super) contents: HashSet<String>,
}

impl Tx<'_> {
    /// Makes an object of this customer; sets `resourceName` and, where the resource has one, `id`.
    pub(super) fn make(
        &mut self,
        resource: &'static str,
        id: String,
        parent: Option<Handle>,
        mut fields: Map<String, Value>,
    ) -> Handle {
        let key = resource_name(&self.customer, resource, &id);
        fields.insert("resourceName".into(), key.clone().into());
        let status = fields.get("status").and_then(Value::as_str).unwrap_or("");
        let what = format!("created {}", status.to_lowercase());
        self.world.store.create(Draft {
            vendor: NAME,
            account: self.customer.clone(),
            kind: resource,
            id,
            key,
            parent,
            fields,
            what: what.trim_end().to_owned(),
        })
    }

    /// The object that a field names.
    pub(super) fn referenced(&self, fields: &Map<String, Value>, field: &str) -> Option<Handle> {
        self.world.store.find(NAME, fields.get(field)?.as_str()?)
    }

    /// Whether an object is gone.
    pub(super) fn removed(&self, handle: Handle) -> bool {
        self.world.store.get(handle).text("status") == "REMOVED"
    }

    /// Turns a resource name, perhaps with a temporary id, into a handle of the right kind.
    pub(super) fn resolve(&self, name: &str, resource: &str, field: &str) -> Result<Handle, Fault> {
        let malformed = || {
            let message = format!("The resource name '{name}' is malformed.");
            Fault::new("requestError", "RESOURCE_NAME_MALFORMED", &message)
                .at(field)
                .because(name)
        };
        let missing = || {
            Fault::new("mutateError", "RESOURCE_NOT_FOUND", "Resource was not found.")
                .at(field)
                .because(name)
        };
        let prefix = resource_name(&self.customer, resource, "");
        let Some(id) = name.strip_prefix(&prefix) else {
            let mut parts = name.split('/');
            let shaped =
                parts.next() == Some("customers") && name.contains(prefix.rsplit('/').nth(1).unwrap_or("?"));
            return Err(if shaped { missing() } else { malformed() });
        };
        let real = if id.starts_with('-') {
            match self.temporary.get(id) {
                // "A temporary resource name must be defined before it is used."
                None => return Err(missing()),
                Some(None) => {
                    let message = "The temporary id references a resource that had errors.";
                    return Err(Fault::new(
                        "newResourceCreationError",
                        "TEMP_ID_RESOURCE_HAD_ERRORS",
                        message,
                    )
                    .at(field));
                }
                Some(Some(real)) => real.as_str(),
            }
        } else {
            name
        };
        // Links of assets end in the part that the asset plays: `1~2~HEADLINE`.
        let part = |b: u8| resource.ends_with("_asset") && (b.is_ascii_uppercase() || b == b'_');
        if id.is_empty()
            || !id
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'~' || b == b'-' || part(b))
        {
            return Err(malformed());
        }
        let handle = match resource {
            // An ad is stored inside its ad group ad, and found by its own name.
            "ad" => self
                .world
                .store
                .named(NAME, &self.customer, "ad_group_ad", real)
                .first()
                .copied(),
            _ => self.world.store.find(NAME, real),
        };
        handle.ok_or_else(missing)
    }

    fn create(&mut self, kind: &Kind, mut fields: Map<String, Value>) -> Ruling<Handle> {
        let Some(create) = kind.create else {
            return Err(vec![Fault::new(
                "operatorError",
                "OPERATOR_NOT_SUPPORTED",
                "Operator is not supported.",
            )]);
        };
        let mut faults = Vec::new();
        let mut temporary = None;
        if let Some(name) = fields.remove("resourceName").as_ref().and_then(Value::as_str) {
            match self.temporary_id(kind, name) {
                Ok(id) => temporary = Some(id),
                Err(fault) => faults.push(fault),
            }
        }
        for field in kind.output_only.iter().filter(|f| fields.contains_key(**f)) {
            let message = "The field is output only and must not be set.";
            faults.push(Fault::new("fieldError", "VALUE_MUST_BE_UNSET", message).at(&snake(field)));
        }
        if fields.get("status").is_some_and(|s| s == "REMOVED") {
            let message = "The create operation is not permitted with the status REMOVED.";
            let fault = Fault::new(
                "operationAccessDeniedError",
                "CREATE_AS_REMOVED_NOT_PERMITTED",
                message,
            );
            faults.push(fault.at("status"));
        }
        for (field, resource) in kind.references {
            let Some(name) = fields.get(*field).and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            match self.resolve(&name, resource, &snake(field)) {
                Ok(handle) if self.removed(handle) => faults.push(gone().at(&snake(field)).because(&name)),
                Ok(handle) => {
                    fields.insert(
                        (*field).to_owned(),
                        self.world.store.get(handle).key.clone().into(),
                    );
                }
                Err(fault) => faults.push(fault),
            }
        }
        let made = if faults.is_empty() {
            create(self, fields)
        } else {
            Err(faults)
        };
        if let Some(id) = temporary {
            let real = made
                .as_ref()
                .ok()
                .map(|handle| self.world.store.get(*handle).key.clone());
            self.temporary.insert(id, real);
        }
        made
    }

    /// The temporary id in the resource name of a create, if it may have one.
    fn temporary_id(&self, kind: &Kind, name: &str) -> Result<String, Fault> {
        if kind.composite {
            let message = "The resource name is made of other fields, which it contradicts.";
            return Err(Fault::new("mutateError", "INCONSISTENT_FIELD_VALUES", message).at("resource_name"));
        }
        let id = name
            .strip_prefix(&resource_name(&self.customer, kind.resource, ""))
            .unwrap_or("");
        if !id.starts_with('-') || id[1..].parse::<u64>().is_err() {
            let message = "Do not set the id field while creating new resources.";
            return Err(
                Fault::new("newResourceCreationError", "CANNOT_SET_ID_FOR_CREATE", message)
                    .at("resource_name"),
            );
        }
        if self.temporary.contains_key(id) {
            let message = "Creating more than one resource with the same temp ID is not allowed.";
            return Err(
                Fault::new("newResourceCreationError", "DUPLICATE_TEMP_IDS", message).at("resource_name"),
            );
        }
        Ok(id.to_owned())
    }

    /// Once per request for each object that is updated or removed.
    fn touch(&mut self, handle: Handle) -> Result<(), Fault> {
        let key = self.world.store.get(handle).key.clone();
        if self.removed(handle) {
            return Err(gone().because(&key));
        }
        if self.touched.insert(key) {
            Ok(())
        } else {
            let message = "The same resource is mutated more than once in the request.";
            Err(Fault::new(
                "mutateError",
                "ID_EXISTS_IN_MULTIPLE_MUTATES",
                message,
            ))
        }
    }

    fn update(&mut self, kind: &Kind, sent: &Map<String, Value>, mask: Option<&str>) -> Ruling<Handle> {
        let Some(check) = kind.update else {
            return Err(vec![Fault::new(
                "operatorError",
                "OPERATOR_NOT_SUPPORTED",
                "Operator is not supported.",
            )]);
        };
        let name = sent.get("resourceName").and_then(Value::as_str).unwrap_or("");
        if name.is_empty() {
            let fault = Fault::new(
                "requestError",
                "RESOURCE_NAME_MISSING",
                "Resource name is required.",
            );
            return Err(vec![fault.at("resource_name")]);
        }
        let handle = self
            .resolve(name, kind.resource, "resource_name")
            .map_err(|f| vec![f])?;
        self.touch(handle).map_err(|f| vec![f])?;
        let Some(mask) = mask.filter(|m| !m.is_empty()) else {
            let message = "The field mask must be provided for update operations.";
            return Err(vec![Fault::new("fieldMaskError", "FIELD_MASK_MISSING", message)]);
        };
        let stored = &self.world.store.get(handle).fields;
        let mut after = if kind.resource == "ad" {
            stored
                .get("ad")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        } else {
            stored.clone()
        };
        let before = after.clone();
        let faults: Vec<Fault> = mask
            .split(',')
            .filter_map(|path| apply_mask(kind, &mut after, sent, path).err())
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        if after.get("status").is_some_and(|s| s == "REMOVED") {
            let message = "An object is removed by a remove operation.";
            return Err(vec![
                Fault::new("enumError", "ENUM_VALUE_NOT_PERMITTED", message).at("status"),
            ]);
        }
        check(self, handle, &mut after)?;
        let what = changes(&before, &after);
        self.world.store.change(handle, &what, |object| {
            if kind.resource == "ad" {
                object.fields.insert("ad".into(), Value::Object(after));
            } else {
                object.fields = after;
            }
        });
        Ok(handle)
    }

    fn remove(&mut self, kind: &Kind, name: &str) -> Ruling<Handle> {
        let Some(check) = kind.remove else {
            return Err(vec![Fault::new(
                "operatorError",
                "OPERATOR_NOT_SUPPORTED",
                "Operator is not supported.",
            )]);
        };
        let handle = self.resolve(name, kind.resource, "remove").map_err(|mut f| {
            f.path.clear();
            vec![f]
        })?;
        self.touch(handle).map_err(|f| vec![f])?;
        check(self, handle)?;
        self.set_removed(handle);
        Ok(handle)
    }

    /// Makes an object `REMOVED`: it stays, but nothing can be done with it any more.
    pub(super) fn set_removed(&mut self, handle: Handle) {
        self.world.store.change(handle, "removed", |object| {
            object.fields.insert("status".into(), "REMOVED".into());
        });
    }
}

/// What is removed cannot be used again.
pub(super) fn gone() -> Fault {
    let message = "Operation is not permitted for removed resources.";
    Fault::new(
        "operationAccessDeniedError",
        "OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
        message,
    )
}

/// `amountMicros` as error locations spell it.
pub(super) fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn carry_out(tx: &mut Tx<'_>, operation: &mut Operation) -> Ruling<Handle> {
    let mask = operation.body.remove("updateMask");
    let mask = mask.as_ref().and_then(Value::as_str);
    let kind = operation.kind;
    let (verb, result) = if let Some(Value::Object(fields)) = operation.body.remove("create") {
        if mask.is_some() {
            let fault = Fault::new(
                "fieldMaskError",
                "FIELD_MASK_NOT_ALLOWED",
                "Field mask is not allowed.",
            );
            ("create", Err(vec![fault]))
        } else {
            ("create", tx.create(kind, fields))
        }
    } else if let Some(Value::Object(fields)) = operation.body.remove("update") {
        ("update", tx.update(kind, &fields, mask))
    } else if let Some(Value::String(name)) = operation.body.remove("remove") {
        ("remove", tx.remove(kind, &name))
    } else {
        let fault = Fault::new("requestError", "OPERATION_REQUIRED", "An operation is required.");
        return Err(vec![fault.under(&operation.prefix)]);
    };
    operation.prefix.push(Step::field(verb));
    result.map_err(|faults| faults.into_iter().map(|f| f.under(&operation.prefix)).collect())
}

/// Answers a mutate request.
pub(super) fn answer(world: &mut World, customer: &str, form: &Form, mut body: Map<String, Value>) -> Answer {
    let mut operations = match operations(form, &mut body) {
        Ok(operations) => operations,
        Err(violations) => return bad_request(&violations),
    };
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (partial, validate_only) = (flag("partialFailure"), flag("validateOnly"));
    let full = body
        .get("responseContentType")
        .is_some_and(|t| t == "MUTABLE_RESOURCE");
    if operations.is_empty() {
        let fault = Fault::new(
            "requestError",
            "REQUIRED_FIELD_MISSING",
            "At least one operation is required.",
        );
        return refuse(world, &[fault.at("mutate_operations")]);
    }
    if operations.len() > MOST_OPERATIONS {
        let fault = Fault::new(
            "requestError",
            "TOO_MANY_MUTATE_OPERATIONS",
            "Too many mutate operations in request.",
        );
        return refuse(world, &[fault]);
    }
    if let Some(fault) = campaigns::undeclared(world, customer, &operations) {
        return refuse(world, &[fault]);
    }
    let start = world.store.mark();
    let mut tx = Tx {
        world,
        customer: customer.to_owned(),
        temporary: HashMap::new(),
        touched: HashSet::new(),
        contents: HashSet::new(),
    };
    let mut results = Vec::new();
    let mut faults = Vec::new();
    for operation in &mut operations {
        if partial && let Some(fault) = criteria::not_partially(tx.world, operation) {
            results.push(None);
            faults.push(fault.under(&operation.prefix));
            continue;
        }
        let mark = tx.world.store.mark();
        match carry_out(&mut tx, operation) {
            Ok(handle) => results.push(Some((operation.kind, handle))),
            Err(found) => {
                tx.world.store.roll_back(mark);
                results.push(None);
                faults.extend(found);
            }
        }
    }
    // What is counted is counted when everything is done, and then all of it stands or falls.
    let incomplete = incomplete(tx.world, &operations, &results);
    let partial = partial && incomplete.is_empty();
    faults.extend(incomplete);
    let failed = !faults.is_empty() && !partial;
    if failed || validate_only {
        world.store.roll_back(start);
    }
    let effect = world.store.mark() > start;
    world.store.commit();
    if failed || (validate_only && !faults.is_empty()) {
        return refuse(world, &faults);
    }
    let request_id = world.ids.opaque(22);
    let mut answer = Map::new();
    if !validate_only {
        let rendered: Vec<Value> = results.iter().map(|r| result(world, form, *r, full)).collect();
        match form {
            Form::Mixed => answer.insert("mutateOperationResponses".into(), rendered.into()),
            Form::Service(_) => answer.insert("results".into(), rendered.into()),
            Form::Single(_) => {
                answer.insert("result".into(), rendered.into_iter().next().unwrap_or_default())
            }
        };
    }
    if !faults.is_empty() {
        let error = json!({
            "code": 3, "message": "Multiple errors in 'details'. First error: see details.",
            "details": [failure(&faults, &request_id)],
        });
        answer.insert("partialFailureError".into(), error);
    }
    Answer::json(200, &Value::Object(answer))
        .with_effect(effect)
        .with_header("request-id", request_id)
}

/// What the asset groups and campaigns that the request was about lack now; at the first operation about each.
fn incomplete(
    world: &World,
    operations: &[Operation],
    results: &[Option<(&'static Kind, Handle)>],
) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (operation, made) in operations.iter().zip(results) {
        let Some((_, handle)) = made else { continue };
        let found = [
            asset_groups::group_of(world, *handle)
                .map(|group| (group, asset_groups::incomplete(world, group))),
            asset_groups::campaign_of(world, *handle).map(|c| (c, asset_groups::unbranded(world, c))),
        ];
        for (about, lacks) in found.into_iter().flatten() {
            if seen.insert(about) {
                faults.extend(lacks.into_iter().map(|fault| fault.under(&operation.prefix)));
            }
        }
    }
    faults
}

fn result(world: &World, form: &Form, made: Option<(&'static Kind, Handle)>, full: bool) -> Value {
    let Some((kind, handle)) = made else {
        return json!({});
    };
    let object = world.store.get(handle);
    let key = if kind.resource == "ad" {
        object.text("_index")
    } else {
        &object.key
    };
    let mut result = json!({"resourceName": key});
    // Links have nothing mutable in them, so their result has no place for it.
    if full && kind.update.is_some() {
        let shown = object.fields.iter().filter(|(k, _)| !k.starts_with('_'));
        result[camel(kind.resource)] = Value::Object(shown.map(|(k, v)| (k.clone(), v.clone())).collect());
    }
    match form {
        Form::Mixed => json!({format!("{}Result", camel(kind.resource)): result}),
        Form::Service(_) | Form::Single(_) => result,
    }
}
