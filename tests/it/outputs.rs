//! What each command prints in the life of one launch is kept in `tests/golden/outputs`, as a person sees it.
//!
//! Must not check what a command does: other tests do. What differs from run to run (times, ids, addresses) is kept as `0`s of the
//! same width, so that columns stay where they are.

use crate::amend::{amended, newer, raise};
use crate::golden;
use crate::support::app::App;
use crate::support::command::run;
use crate::support::{hand, plans};
use serde_json::{Value, json};
use std::path::Path;

/// Commands against one app, and the files that they read.
struct Terminal<'a> {
    app: &'a App,
    folder: &'a Path,
    wrong: Vec<String>,
}

impl Terminal<'_> {
    fn file(&self, name: &str, value: &Value) {
        let text = serde_json::to_string_pretty(value).expect("JSON");
        std::fs::write(self.folder.join(name), text).expect("a file");
    }

    /// Runs it and keeps what is seen; words that end in `.json` are files of ours.
    fn shows(&mut self, name: &str, line: &str) {
        let words = shell(line);
        let paths: Vec<String> = words
            .iter()
            .map(|w| match w.strip_suffix(".json") {
                Some(_) => self.folder.join(w).to_str().expect("a path").to_owned(),
                None => w.clone(),
            })
            .collect();
        let args: Vec<&str> = paths.iter().map(String::as_str).collect();
        let ran = run(self.app, &args);
        let code = ran.code.expect("it ends by itself");
        let folder = format!("{}/", self.folder.display());
        let seen = format!("{}{}", ran.out, ran.err).replace(&folder, "");
        let seen = plain(&seen).replace("(in 4 h,", "(in 3 h 0 min,");
        let text = format!("$ campaign-execution {line}\n{seen}exit code {code}\n");
        golden::same(&format!("outputs/{name}.txt"), &text, &mut self.wrong);
    }
}

/// Words, of which one in double quotes is one.
fn shell(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(n, part)| match n % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

/// With `0` for every digit of what differs from run to run.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let mut plain = String::with_capacity(text.len());
    for (n, word) in words.iter().enumerate() {
        let next = words.get(n + 1).map_or("", |w| bare(w));
        if differs(word) || words.get(n.wrapping_sub(1)).is_some_and(|w| bare(w) == "payload") {
            let hash = bare(word).chars().all(|c| c.is_ascii_hexdigit());
            let digit = |c: char| c.is_ascii_digit() || hash && c.is_ascii_hexdigit();
            plain.extend(word.chars().map(|c| if digit(c) { '0' } else { c }));
        } else if bare(word).bytes().all(|b| b.is_ascii_digit()) && matches!(next, "s" | "ms" | "min") {
            plain.push_str("0 ");
        } else {
            plain.push_str(word);
        }
    }
    plain
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Times, ids and hashes.
fn differs(word: &str) -> bool {
    let bare = bare(word);
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let time = bare.matches(['-', ':']).count() >= 2 && digits >= 6;
    time || digits >= 6 && bare.len() >= 8
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commands_print_in_the_life_of_a_launch() {
    let app = App::bare().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal {
        app: &app,
        folder: folder.path(),
        wrong: Vec::new(),
    };
    let mut tenant = plans::tenant();
    tenant["policy"]["launch_approval"] = json!("first_launch");
    terminal.file("acme.json", &tenant);
    terminal.shows("status-nothing", "status");
    terminal.shows("tenant-apply", "tenant apply acme.json");
    terminal.shows("tenant-apply-again", "tenant apply acme.json");
    terminal.shows("tenant-list", "tenant list");

    let plan = plans::running_plan("spring.1");
    terminal.file("plan.json", &plan);
    terminal.shows("plan-check", "plan check plan.json");
    let mut wrong = plan.clone();
    wrong["campaigns"][0]["budget"]["amount"] = json!("a lot");
    wrong["campaigns"][1]["landing_url"] = json!("shop.acme.example");
    terminal.file("wrong.json", &wrong);
    terminal.shows("plan-check-wrong", "plan check wrong.json");
    terminal.shows("plan-preview-new", "plan preview plan.json");

    app.publish(&plan).await;
    app.settle().await;
    terminal.shows("touchpoints", "touchpoints");
    terminal.shows("status-blocked", "status spring.1");
    terminal.shows("approve", "approve spring.1 --yes --reason \"looks right\"");
    terminal.shows("approve-again", "approve spring.1 --yes");
    app.settle_and_warp(6).await;
    terminal.shows("status", "status");
    terminal.shows("status-one", "status spring.1");
    terminal.shows("status-unknown", "status autumn.1");
    terminal.shows("touchpoints-none", "touchpoints");
    terminal.shows("drift-none", "drift spring.1");
    terminal.shows("plan-preview-same", "plan preview plan.json");
    terminal.shows("plan-preview-live", "plan preview plan.json --live");
    terminal.shows("retry-nothing", "retry spring.1 --yes");
    terminal.shows("resume-nothing", "resume spring.1 --yes");
    terminal.shows("cancel-too-late", "cancel spring.1 --yes");

    let meta = app.objects("meta").await;
    let campaign = meta.iter().find(|o| o["kind"] == "campaign").expect("a campaign");
    let id = campaign["id"].as_str().expect("an id");
    hand::on_meta(&app, id, "status=PAUSED").await;
    terminal.shows("drift", "drift spring.1");
    terminal.file(
        "amended.json",
        &amended(&plan, 1, |p| {
            raise(p, 0, 5);
            p["campaigns"].as_array_mut().expect("campaigns").pop();
        }),
    );
    terminal.shows("plan-preview-amended", "plan preview amended.json");
    terminal.file("newer.json", &newer(&plan, "spring.2", |p| raise(p, 1, 7)));
    terminal.shows("plan-preview-newer", "plan preview newer.json");

    terminal.shows("pause", "pause --tenant acme --yes --reason \"the shop is down\"");
    app.settle_and_warp(3).await;
    terminal.shows("pause-again", "pause --tenant acme --yes");
    terminal.shows("status-paused", "status");
    terminal.shows(
        "unpause",
        "unpause --tenant acme --yes --reason \"the shop is back\"",
    );
    app.settle_and_warp(3).await;

    terminal.shows("rollback-dry-run", "rollback spring.1 --dry-run");
    terminal.shows("rollback-unasked", "rollback spring.1");
    terminal.shows(
        "rollback",
        "rollback spring.1 --yes --reason \"the client withdrew\"",
    );
    app.settle_and_warp(6).await;
    terminal.shows("rollback-again", "rollback spring.1 --yes");
    terminal.shows("status-rolled-back", "status spring.1");
    terminal.shows("alerts", "alerts --all");
    terminal.shows("audit-verify", "audit verify");
    terminal.shows("audit-export-unknown", "audit export --plan autumn.1");
    assert!(
        terminal.wrong.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes them anew",
        terminal.wrong.join("\n")
    );
}
