//! What the business says, and nothing else: no I/O, no clock, no randomness, no await.
//!
//! Must not import anything else of this crate. `serde` derives are here because specs and manifests
//! are stored as JSON documents; `serde_json::Value` appears only as data that a platform folder reads
//! (`settings`, the fields of a remote object).

pub mod budget;
pub mod catalog;
pub mod clock;
pub mod decision;
pub mod diff;
pub mod error;
pub mod gate;
pub mod hold;
pub mod ids;
pub mod landing;
pub mod leftover;
pub mod lineage;
pub mod manifest;
pub mod money;
pub mod plan;
pub mod saga;
pub mod spec;
pub mod tenant;
pub mod touchpoint;
pub mod tracking;
