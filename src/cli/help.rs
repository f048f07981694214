//! What `--help` says besides the flags: examples of the commands that are used in earnest, and the exit codes.
//!
//! Must not promise what the command does not do: `tests/golden` keeps these texts beside the flags.

/// The same for every command (contract §2).
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage or invalid input
  3  not found
  4  refused by a rule, or the answer was no
  5  differences found
  6  a dependency cannot be reached

Examples:
  campaign-execution doctor
  campaign-execution plan check plan.json
  campaign-execution status spring-sale-2027.3 --tenant acme
  campaign-execution explain spring-sale-2027.3 --tenant acme";

/// `pause`.
pub const PAUSE: &str = "\
From the moment it says so no new call is made for the tenant but those that switch off.
Campaigns that are on are switched off and remembered; what is being built stops where it
is; new plans wait at the gate. A platform that does not answer is tried until it does:
`status` and `doctor` show it.

Examples:
  campaign-execution pause --tenant acme --reason \"landing page is down\"
  campaign-execution pause --tenant acme --yes --wait";

/// `unpause`.
pub const UNPAUSE: &str = "\
Campaigns that the pause switched off are switched on again, and no others: what somebody
paused by hand, what was rolled back or has ended meanwhile stays off. What waited goes on.

Examples:
  campaign-execution unpause --tenant acme --reason \"landing page is back\" --wait";

/// `dlq list`.
pub const DLQ_LIST: &str = "\
Examples:
  campaign-execution dlq list
  campaign-execution dlq list --topic plan.approved --reason-contains budget";

/// `dlq show`.
pub const DLQ_SHOW: &str = "\
Examples:
  campaign-execution dlq show --topic plan.approved --partition 2 --offset 17";

/// `dlq redrive`.
pub const DLQ_REDRIVE: &str = "\
The bytes and headers go to the topic they came from, as they were, with the header
dlq_redriven_from. A letter that was redriven before is left alone (exit code 4) unless
--force is said. What still cannot be read dies again.

Examples:
  campaign-execution dlq redrive --topic execution.control --partition 0 --offset 4
  campaign-execution dlq redrive --all --reason-contains \"no such plan version\" --yes";

/// `audit verify`.
pub const AUDIT_VERIFY: &str = "\
Exit code 1: a chain is broken. A tail that was cut off together with its head shows only
with --head.

Examples:
  campaign-execution audit verify
  campaign-execution audit verify --head /mnt/elsewhere/audit-2026-11.jsonl
  campaign-execution audit verify --file audit.jsonl";

/// `audit export`.
pub const AUDIT_EXPORT: &str = "\
One JSON object a line: per tenant a beginning, the entries as they were hashed, and the
head. README, \"The audit log\", has a script that verifies it without this program.

Examples:
  campaign-execution audit export --output audit.jsonl
  campaign-execution audit export --tenant acme --plan spring-sale-2027.3
  campaign-execution audit export --since 2026-11-01T00:00:00Z | zstd > audit-november.jsonl.zst";

/// `explain`.
pub const EXPLAIN: &str = "\
Examples:
  campaign-execution explain spring-sale-2027.3
  campaign-execution explain spring-sale-2027.3 --tenant acme --json";

/// `status`.
pub const STATUS: &str = "\
Examples:
  campaign-execution status
  campaign-execution status --tenant acme --limit 10
  campaign-execution status spring-sale-2027.3 --tenant acme --json";

/// `alerts`.
pub const ALERTS: &str = "\
An alert is a signed webhook to the receiver of its route (alerts.<receiver> in the
configuration). It is sent until the receiver takes it, for three days; without a receiver
only the event execution.escalated tells of it. `doctor` checks the receivers.

Examples:
  campaign-execution alerts
  campaign-execution alerts --tenant acme --all --json";

/// `alerts resend`.
pub const ALERTS_RESEND: &str = "\
It goes to whom its route leads now, under the same webhook-id, at once and then for another
three days. One that waits for its next attempt is tried at once. What was delivered is not
sent again (exit code 4). Said twice, it is sent once.

Examples:
  campaign-execution alerts resend 3f0c92d1 --reason \"the receiver is back\"
  campaign-execution alerts resend --all --route agency_master --yes";

/// `replay`.
pub const REPLAY: &str = "\
Examples:
  campaign-execution replay --topic plan.approved --partition 3 --offset 1042 --mode verify
  campaign-execution replay --topic plan.approved --partition 3 --offset 1042 --reason \"restored\"";

/// `rollback`.
pub const ROLLBACK: &str = "\
What will be paused, what removed, what comes back and what cannot be undone is shown first.
With --yes it is ordered at once: the platforms are not asked what each campaign has spent
before, only while it is undone.

Examples:
  campaign-execution rollback spring-sale-2027.3 --tenant acme --dry-run
  campaign-execution rollback spring-sale-2027.3 --tenant acme --reason \"the client withdrew\"";

/// `approve`.
pub const APPROVE: &str = "\
The decision is for exactly the payload that is shown: an amendment needs a new one.

Examples:
  campaign-execution touchpoints
  campaign-execution approve spring-sale-2027.3 --tenant acme
  campaign-execution approve spring-sale-2027.3 --yes --reason \"reviewed with the client\"";

/// `reject`.
pub const REJECT: &str = "\
Before the launch it cancels the plan version, also when somebody else has approved it. Of an
amendment it leaves what is launched as it is. After the launch: `rollback`.

Examples:
  campaign-execution reject spring-sale-2027.3 --tenant acme --reason \"budget is not released\"";

/// `resume`.
pub const RESUME: &str = "\
The gate asks again by itself; this is for who does not want to wait. A launch that waits for
an asset looks for it at once.

Examples:
  campaign-execution resume spring-sale-2027.3 --tenant acme --reason \"feed is mended\"";

/// `retry`.
pub const RETRY: &str = "\
Legs that failed are built again from where they stopped; legs that are stuck are undone, or
switched off, again. What went well is not touched.

Examples:
  campaign-execution retry spring-sale-2027.3 --tenant acme --reason \"payment settled\"";

/// `cancel`.
pub const CANCEL: &str = "\
After the launch: `rollback`. Of a launched version it drops the amendment that waits.

Examples:
  campaign-execution cancel spring-sale-2027.3 --tenant acme --reason \"replaced by .4\"";

/// `touchpoints`.
pub const TOUCHPOINTS: &str = "\
Examples:
  campaign-execution touchpoints
  campaign-execution touchpoints --tenant acme --all
  campaign-execution touchpoints --json | jq -r '.[] | [.kind, .plan_version] | @tsv'";

/// `drift`.
pub const DRIFT: &str = "\
Nothing is changed, but with --mend: what somebody removed is then built again, paused, verified
and switched on as at first, after asking. What was changed by hand stays as it is.

Examples:
  campaign-execution drift spring-sale-2027.3 --tenant acme
  campaign-execution drift spring-sale-2027.3 --mend --reason \"deleted by mistake\"
  campaign-execution drift --json";

/// `serve`.
pub const SERVE: &str = "\
Any number of processes share the work out.

Examples:
  campaign-execution serve
  campaign-execution serve --only intake,gate,relay,clocks
  campaign-execution serve --only worker:meta,worker:tiktok";

/// `sandbox`.
pub const SANDBOX: &str = "\
Examples:
  campaign-execution sandbox --listen 127.0.0.1:8090
  campaign-execution sandbox --latency-ms 200 --seed 7";

/// `demo`.
pub const DEMO: &str = "\
Examples:
  campaign-execution demo
  campaign-execution demo --log";

/// `bench`.
pub const BENCH: &str = "\
Examples:
  make bench
  campaign-execution bench --in-flight 1,64 --plans 200";

/// `migrate`.
pub const MIGRATE: &str = "\
Examples:
  campaign-execution migrate";

/// `doctor`.
pub const DOCTOR: &str = "\
Examples:
  campaign-execution doctor
  campaign-execution doctor --json";

/// `topics`.
pub const TOPICS: &str = "\
Examples:
  campaign-execution topics
  campaign-execution topics --create --partitions 12 --replication 3";

/// `tenant apply`.
pub const TENANT_APPLY: &str = "\
An older document than the one that is there changes nothing.

Examples:
  campaign-execution tenant apply acme.json";

/// `tenant list`.
pub const TENANT_LIST: &str = "\
Examples:
  campaign-execution tenant list";

/// `plan check`.
pub const PLAN_CHECK: &str = "\
Needs neither a database nor a network.

Examples:
  campaign-execution plan check plan.json";

/// `plan preview`.
pub const PLAN_PREVIEW: &str = "\
With --live the platforms are asked what they hold, and it is said which of somebody's changes
there this payload would overwrite.

Examples:
  campaign-execution plan preview plan.json
  campaign-execution plan preview plan.json --live";

/// `plan offers`.
pub const PLAN_OFFERS: &str = "\
Examples:
  campaign-execution plan offers
  campaign-execution plan offers --markdown > docs/offers.md";

/// `plan publish`.
pub const PLAN_PUBLISH: &str = "\
Examples:
  campaign-execution plan preview plan.json
  campaign-execution plan publish plan.json";
