//! `explain` tells a launch so that somebody who knows nothing of the code can follow it.

use crate::golden;
use crate::support::app::App;
use crate::support::command::run;
use crate::support::plans;
use serde_json::json;

/// Times, ids and addresses differ from run to run: only what they are is kept.
fn normal(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        let is_date = bare.len() == 10 && bare.chars().filter(|c| *c == '-').count() == 2 && digits == 8;
        let is_time = bare.contains(':') && digits >= 6;
        let is_id = digits >= 6 && bare.len() >= 8 || bare.len() >= 20 && digits > 4;
        let is_number = !bare.is_empty() && digits == bare.len();
        let of_the_platform = words.last().is_some_and(|before| before == "request");
        words.push(if of_the_platform {
            "<id>]".to_owned()
        } else if is_date {
            word.replace(bare, "<date>")
        } else if is_time {
            word.replace(bare, "<time>")
        } else if is_number {
            word.replace(bare, "<n>")
        } else if is_id {
            word.replace(bare, "<id>")
        } else {
            word.to_owned()
        });
    }
    words.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_is_told_from_approval_to_pause() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("first_launch"))
        .await;
    let plan = plans::only(plans::running_plan("story.1"), "google-ads");
    app.publish(&plan).await;
    app.settle().await;
    run(&app, &["approve", "story.1", "--yes", "--reason", "looks right"]).ok();
    // The first write is done and its answer lost: what it did is looked up.
    app.fault(
        json!({ "vendor": "google-ads", "method": "mutate", "kind": "reset", "effect": "after", "times": 1 }),
    )
    .await;
    app.settle_and_warp(8).await;
    run(
        &app,
        &[
            "pause",
            "--tenant",
            "acme",
            "--yes",
            "--reason",
            "the shop is down",
        ],
    )
    .ok();
    app.settle().await;
    run(
        &app,
        &[
            "unpause",
            "--tenant",
            "acme",
            "--yes",
            "--reason",
            "the shop is back",
        ],
    )
    .ok();
    app.settle().await;
    let text = run(&app, &["explain", "story.1"]).ok().out;
    let place = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("no {what:?} in\n{text}"))
    };
    let order = [
        "the approved plan",
        "a person is needed (launch_approval)",
        "a person approved the launch: looks right",
        "the gate opened",
        "switched campaign and 2 more on",
        "the tenant was paused: the shop is down",
        "the tenant is paused: switched campaign off",
        "the pause of the tenant was lifted: the shop is back",
        "the pause is over: switched campaign on again",
        "now: completed, 1 live",
    ];
    for pair in order.windows(2) {
        assert!(
            place(pair[0]) < place(pair[1]),
            "{:?} comes after {:?} in\n{text}",
            pair[0],
            pair[1]
        );
    }
    // Two clocks tell the time (the service's and the database's), so neighbours may change places: the lines are kept sorted.
    // How long it took differs more than times do.
    let took = |line: &&str| line.starts_with("deadline: ") || line.starts_with("waited: ");
    assert!(text.lines().any(|line| took(&line)), "{text}");
    let mut lines: Vec<String> = text.lines().filter(|l| !took(l)).map(normal).collect();
    lines.sort();
    golden::keep("stories/launch.txt", &(lines.join("\n") + "\n"));
    let json = run(&app, &["explain", "story.1", "--json"]).ok().json();
    assert_eq!(json["execution"]["plan_version"], "story.1");
    assert!(
        json["story"]
            .as_array()
            .expect("a story")
            .iter()
            .all(|l| l["at"].is_string() && l["who"].is_string())
    );
}
