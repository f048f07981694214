//! The audit log with its proof: exported, verified without us, and what a superuser did to it shows.

use crate::support::app::App;
use crate::support::command::{run, run_with};
use crate::support::plans;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A plan's worth of entries, of two tenants.
async fn told() -> App {
    let app = App::start().await;
    app.publish(&plans::plan("told.1")).await;
    app.settle().await;
    let mut other = plans::tenant();
    other["tenant_id"] = "other".into();
    app.deliver("tenant.onboarded", other.to_string().into_bytes())
        .await;
    app
}

fn export(app: &App, more: &[&str]) -> PathBuf {
    let path = app.log().with_file_name(format!("audit-{}.jsonl", more.len()));
    let mut args = vec!["audit", "export", "--output", path.to_str().expect("a path")];
    args.extend(more);
    run(app, &args).ok();
    path
}

fn verify(args: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["audit", "verify"];
    all.extend(args);
    let ran = run_with(&[], &all);
    (ran.code, ran.out + &ran.err)
}

fn rewrite(path: &Path, change: impl Fn(Vec<String>) -> Vec<String>) -> PathBuf {
    let lines = std::fs::read_to_string(path).expect("an export");
    let changed = change(lines.lines().map(str::to_owned).collect());
    let to = path.with_extension("changed");
    std::fs::write(&to, changed.join("\n")).expect("a file");
    to
}

/// The script of the README, as an auditor would run it.
fn auditor(path: &Path) -> (bool, String) {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let script = readme
        .split("```python\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a script");
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .output()
        .expect("python3");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_proves_itself_to_us_and_to_others() {
    let app = told().await;
    let whole = export(&app, &[]);
    let path = whole.to_str().expect("a path");
    let (code, text) = verify(&["--file", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("acme") && text.contains("other"), "{text}");
    let (sound, said) = auditor(&whole);
    assert!(sound && said.contains("acme"), "{said}");

    let changed = rewrite(&whole, |lines| {
        let swap = |l: &String| {
            l.replace("tester", "nobody")
                .replace("plan.accepted", "plan.forgotten")
        };
        lines.iter().map(swap).collect()
    });
    let altered = whole.with_extension("altered");
    std::fs::rename(changed, &altered).expect("renamed");
    let without_one = rewrite_without(&whole, 3, "gone");
    let without_end = rewrite_without(&whole, usize::MAX, "cut");
    for (bad, words) in [
        (altered, "was changed"),
        (without_one, "is gone"),
        (without_end, "cut short"),
    ] {
        let (code, text) = verify(&["--file", bad.to_str().expect("a path")]);
        assert!(matches!(code, Some(1 | 2)), "{text}");
        assert!(text.contains(words), "{words}: {text}");
        let (sound, said) = auditor(&bad);
        assert!(!sound, "the auditor believed {words}: {said}");
    }

    let part = export(&app, &["--plan", "told.1", "--tenant", "acme"]);
    let (code, text) = verify(&["--file", part.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{text}");
    let lines = std::fs::read_to_string(&part).expect("an export");
    assert!(
        lines.contains("plan.accepted") && !lines.contains("tenant.applied"),
        "{lines}"
    );
    let later = export(&app, &["--since", "2999-01-01T00:00:00Z"]);
    assert_eq!(
        std::fs::read_to_string(&later)
            .expect("an export")
            .lines()
            .count(),
        4,
        "no entry is that young"
    );
    let (code, text) = verify(&["--file", later.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{text}");
}

/// Without one line; the last, if there are fewer.
fn rewrite_without(path: &Path, line: usize, name: &str) -> PathBuf {
    let changed = rewrite(path, |mut lines| {
        lines.remove(line.min(lines.len() - 1));
        lines
    });
    let to = path.with_extension(name);
    std::fs::rename(changed, &to).expect("renamed");
    to
}

/// A superuser with the triggers off: each thing that can be done shows, the cut tail by a head kept elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_superuser_does_shows() {
    let app = told().await;
    let kept = export(&app, &[]);
    let kept = kept.to_str().expect("a path");
    assert_eq!(run(&app, &["audit", "verify", "--head", kept]).code, Some(0));
    app.sql("ALTER TABLE audit_log DISABLE TRIGGER USER").await;
    app.sql("ALTER TABLE audit_head DISABLE TRIGGER USER").await;
    app.sql("CREATE TABLE log_kept AS SELECT tenant_id, seq, entry, prev_hash, hash FROM audit_log")
        .await;
    app.sql("CREATE TABLE head_kept AS TABLE audit_head").await;
    let cut = "WITH gone AS (DELETE FROM audit_log WHERE tenant_id = 'acme' AND seq > 2)
               UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_log WHERE tenant_id = 'acme' AND seq = 2)
               WHERE tenant_id = 'acme'";
    for (what, statement, needs_head, words) in [
        ("changed", "UPDATE audit_log SET entry = entry || ' ' WHERE seq = 1", false, "was changed"),
        ("deleted", "DELETE FROM audit_log WHERE tenant_id = 'acme' AND seq = 2", false, "entry 2 is gone"),
        (
            "reordered",
            "UPDATE audit_log a SET entry = b.entry FROM audit_log b WHERE a.tenant_id = 'acme' AND b.tenant_id = 'acme'
             AND a.seq IN (2, 3) AND b.seq = 5 - a.seq",
            false,
            "was changed",
        ),
        ("cut, the head left", "DELETE FROM audit_log WHERE tenant_id = 'acme' AND seq > 2", false, "are gone"),
        ("cut, with its head", cut, true, "were cut off"),
        ("a chain gone", "WITH l AS (DELETE FROM audit_log WHERE tenant_id = 'other')
                          DELETE FROM audit_head WHERE tenant_id = 'other'", true, "are gone"),
        ("a head gone", "DELETE FROM audit_head WHERE tenant_id = 'other'", false, "head"),
    ] {
        app.sql(statement).await;
        let alone = run(&app, &["audit", "verify"]);
        let wanted = if needs_head { Some(0) } else { Some(1) };
        assert_eq!(alone.code, wanted, "{what}: {alone:?}");
        let beside = run(&app, &["audit", "verify", "--head", kept]);
        assert_eq!(beside.code, Some(1), "{what}: {beside:?}");
        assert!(beside.out.contains(words), "{what}: {beside:?}");
        app.sql("DELETE FROM audit_log").await;
        app.sql("DELETE FROM audit_head").await;
        app.sql("INSERT INTO audit_log (tenant_id, seq, entry, prev_hash, hash) SELECT * FROM log_kept").await;
        app.sql("INSERT INTO audit_head SELECT * FROM head_kept").await;
    }
    assert_eq!(run(&app, &["audit", "verify", "--head", kept]).code, Some(0));
}
