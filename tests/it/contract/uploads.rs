//! An asset is given to an account once, whatever becomes of the answer.
//!
//! Must not know what a platform calls its uploads: how many things an account holds is counted.

use super::bench::Bench;
use crate::support::plans;
use campaign_execution::domain::spec::{Asset, LegSpec, leg_specs};
use campaign_execution::platform::{self, CallError, Upload, Uploaded};
use campaign_execution::wire;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The smallest beginnings of real files (the picture: 1200 × 628).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\xb0\0\0\x02\x74\x08\x02\0\0\0";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

fn asset(kind: &str, mime: &str, content: &[u8]) -> Asset {
    serde_json::from_value(json!({ "asset_id": format!("new-{kind}"), "kind": kind, "mime_type": mime, "width": 1200, "height": 628,
        "bytes": content.len(), "sha256": "ab".repeat(32), "url": format!("https://assets.example/acme/new-{kind}"),
        "platform_refs": {} }))
    .expect("an asset")
}

fn spec(platform: &str) -> LegSpec {
    let plan = plans::only(plans::plan("upload.1"), platform);
    let plan = wire::plan::parse(&plan).expect("the example is valid");
    leg_specs(&plan, "does_not_contain").remove(0)
}

/// How many things the account holds.
async fn held(bench: &Bench) -> usize {
    bench.objects().await.len()
}

/// Sent until the account has it and it can be used, the outcome looked up whenever it is not known; the references.
async fn have(bench: &Bench, upload: &Upload, content: &[u8]) -> BTreeMap<String, String> {
    let (platform, session) = (&bench.platform, &bench.session);
    let mut known: Option<BTreeMap<String, String>> = None;
    for _ in 0..50 {
        let found = platform.find_upload(session, upload, known.as_ref()).await;
        match found.expect("a look-up") {
            Uploaded::Ready { refs } => return refs,
            Uploaded::Processing { refs } => {
                known = Some(refs);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Uploaded::Absent => {
                let content = upload.needs_content.then(|| content.to_vec());
                match platform.send_upload(session, upload, content).await {
                    Ok(Uploaded::Ready { refs } | Uploaded::Processing { refs }) => known = Some(refs),
                    Ok(Uploaded::Absent) => panic!("{}: sent and absent", platform.name()),
                    Err(CallError::Unclear { .. }) => {}
                    Err(error) => panic!("{}: {error:?}", platform.name()),
                }
            }
        }
    }
    panic!("{}: never ready", platform.name())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_is_lost_is_made_once() {
    let losses = [
        json!({ "kind": "reset", "effect": "before" }),
        json!({ "kind": "reset", "effect": "after" }),
        json!({ "status": 500, "body": "", "effect": "after" }),
        json!({ "status": 200, "body": "<html>", "effect": "after" }),
        json!({ "status": 200, "body": {}, "effect": "after" }),
    ];
    let mut sent = 0;
    for platform in platform::all() {
        let name = platform.name();
        for (kind, mime, content) in [("image", "image/png", PNG), ("video", "video/mp4", MP4)] {
            for loss in &losses {
                let bench = Bench::start(platform.clone()).await;
                let asset = asset(kind, mime, content);
                let Ok(Some(upload)) = bench.platform.upload(&spec(name), &asset) else {
                    continue;
                };
                bench.world(&json!({ "transcoding_ms": 60 })).await;
                bench.platform.probe(&bench.session).await.expect("a probe");
                let before = held(&bench).await;
                let what = format!("{name}, {kind}: {loss}");
                for fault in on_what_sends(loss) {
                    bench.fault(&fault).await;
                }
                let refs = have(&bench, &upload, content).await;
                assert!(!refs.is_empty(), "{what}");
                let struck = bench.requests().await.iter().any(|r| r["faults"] != json!([]));
                assert!(struck, "{what}: nothing was lost");
                assert_eq!(held(&bench).await, before + 1, "{what}: once");
                // What it is called is what an ad may then name.
                let mut spec = spec(name);
                let mut asset = asset;
                asset.platform_refs.insert(name.to_owned(), refs);
                spec.assets.insert(asset.asset_id.clone(), asset.clone());
                assert_eq!(bench.platform.upload(&spec, &asset), Ok(None), "{what}");
                sent += 1;
            }
        }
    }
    assert!(sent > 0, "no platform takes uploads");
}

/// The loss strikes what sends, whatever it is called, not what looks.
fn on_what_sends(loss: &serde_json::Value) -> Vec<serde_json::Value> {
    let on = |method: &str| {
        let mut fault = loss.clone();
        fault["method"] = json!(method);
        fault
    };
    ["*.create", "*.upload", "*.mutate"].map(on).into()
}
