//! What each command prints in the life of one launch, as a person sees it.

use crate::amend::{amended, newer, raise};
use crate::support::app::App;
use crate::support::terminal::Terminal;
use crate::support::{hand, plans};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_commands_print_in_the_life_of_a_launch() {
    let app = App::bare().await;
    let mut terminal = Terminal::new(&app);
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
    terminal.done();
}
