//! `dlq list`, `show` and `redrive`: what could not be read, why, what to do, and another try.
//!
//! Must not publish by itself: a redriven letter goes through the outbox, with its note and its audit entry.

use super::output::{Output, count};
use super::{Failure, ask, help, user};
use crate::bus::BusError;
use crate::bus::scan::{self, Range, Record};
use crate::domain::ids::TenantId;
use crate::domain::tenant::Tenant;
use crate::store::outbox::{Body, Message};
use crate::store::redrive::{Letter, Redrive, Redriven};
use crate::wire::command::LaunchCommand;
use crate::wire::control::{self, Approval, Control};
use crate::wire::{self, Invalid};
use crate::wiring::Wiring;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Whose chain a letter's redriving is written to when the letter does not tell: no tenant can have this name.
const NOBODY: &str = "_service";
/// Letters whose notes are asked for together.
const TOGETHER: usize = 200;

/// What to do with dead letters.
#[derive(Subcommand)]
pub enum Command {
    /// List the messages that could not be read
    #[command(after_help = help::DLQ_LIST)]
    List(List),
    /// Show one of them: why it could not be read, its bytes, and what to do
    #[command(after_help = help::DLQ_SHOW)]
    Show(Place),
    /// Publish one or several of them to their topic again
    #[command(after_help = help::DLQ_REDRIVE)]
    Redrive(Again),
}

/// Which to list.
#[derive(Args)]
pub struct List {
    /// Only those of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only those whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason_contains: Option<String>,
    /// How many at the most, the newest of each partition last
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

/// One dead letter.
#[derive(Args)]
pub struct Place {
    /// Its topic, with or without `.dlq`
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// Its partition there
    #[arg(long, value_name = "N")]
    partition: i32,
    /// Its offset there
    #[arg(long, value_name = "N")]
    offset: i64,
    /// Print all of its bytes, however many
    #[arg(long)]
    full: bool,
}

/// Which to publish again.
#[derive(Args)]
pub struct Again {
    /// The topic, with or without `.dlq`
    #[arg(long, value_name = "TOPIC", required_unless_present = "all")]
    topic: Option<String>,
    /// The partition of the one dead letter
    #[arg(long, value_name = "N", requires = "topic", required_unless_present = "all")]
    partition: Option<i32>,
    /// Its offset
    #[arg(long, value_name = "N", requires = "topic", required_unless_present = "all")]
    offset: Option<i64>,
    /// All of them, or all of a topic
    #[arg(long, conflicts_with_all = ["partition", "offset"])]
    all: bool,
    /// With --all: only those whose reason contains this text
    #[arg(long, value_name = "TEXT", requires = "all")]
    reason_contains: Option<String>,
    /// Also those that were redriven before
    #[arg(long)]
    force: bool,
    /// Why; recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
}

impl Command {
    /// Runs it.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        match self {
            Self::List(list) => list.run(wiring, output).await,
            Self::Show(place) => place.run(wiring, output).await,
            Self::Redrive(again) => again.run(wiring, output).await,
        }
    }
}

impl List {
    async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let mut found = Vec::new();
        let mut more = 0;
        let topics = topics(self.topic.as_deref())?;
        let mut records = scan::read(&wiring.bus, &topics, Range::default());
        while let Some(record) = records.recv().await {
            let mut letter = record?;
            if !matches(&letter, self.reason_contains.as_deref()) {
                continue;
            }
            if found.len() < self.limit {
                // Only its note is shown: the bytes are let go.
                let content = content(&letter);
                letter.payload = None;
                found.push((letter, content));
            } else {
                more += 1;
            }
        }
        let keys: Vec<Letter> = found.iter().map(|(r, c)| key(r, c)).collect();
        let known = known(wiring, &keys).await?;
        let rows: Vec<Vec<String>> = found
            .iter()
            .zip(&keys)
            .map(|((record, _), key)| {
                vec![
                    when(record),
                    source_topic(record),
                    record.partition.to_string(),
                    record.offset.to_string(),
                    short(record.header("dlq_reason").unwrap_or("not said"), 90),
                    known.get(key).map_or("", |_| "redriven").to_owned(),
                ]
            })
            .collect();
        output.json(
            &found
                .iter()
                .zip(&keys)
                .map(|((record, _), key)| note(record, known.get(key)))
                .collect::<Vec<_>>(),
        );
        if found.is_empty() {
            output.line("there are no dead letters");
            return Ok(0);
        }
        output.table(&["WHEN", "TOPIC", "PARTITION", "OFFSET", "REASON", ""], &rows);
        if more > 0 {
            output.line(format!("… and {more} more (--limit)"));
        }
        output.line("");
        output.line(
            "`campaign-execution dlq show --topic T --partition P --offset N` shows one and what to do",
        );
        Ok(0)
    }
}

impl Place {
    async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let record = one(wiring, &self.topic, self.partition, self.offset).await?;
        let key = key(&record, &content(&record));
        let known = known(wiring, std::slice::from_ref(&key)).await?;
        let now = still_refused(&record, wiring.config.intake.max_plan_bytes);
        let mut value = note(&record, known.get(&key));
        value["headers"] = headers(&record)
            .into_iter()
            .collect::<serde_json::Map<_, _>>()
            .into();
        value["body"] = body_value(&record);
        value["still_refused"] = json!(now.as_ref().map(|p| wire::summary(p)));
        value["fix"] = json!(fix(&record, now.as_deref()));
        output.json(&value);
        output.line(output.bold(&record.place()));
        let text = |name: &str| record.header(name).unwrap_or("not said").to_owned();
        output.line(format!("  came as    {}", text("dlq_source")));
        output.line(format!("  died       {}", text("dlq_at")));
        output.line(format!(
            "  key        {}",
            String::from_utf8_lossy(record.key.as_deref().unwrap_or_default())
        ));
        output.line(format!("  reason     {}", text("dlq_reason")));
        if let Some(pointer) = record.header("dlq_pointer").filter(|p| !p.is_empty()) {
            output.line(format!("  place      {pointer}"));
        }
        if let Some(before) = known.get(&key) {
            output.line(format!("  redriven   {}", again(before)));
        }
        output.line(format!(
            "  now        {}",
            match &now {
                None => "it can be read".to_owned(),
                Some(problems) => format!("still refused: {}", wire::summary(problems)),
            }
        ));
        output.line(format!("  to do      {}", fix(&record, now.as_deref())));
        let own: Vec<(String, Value)> = headers(&record)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("dlq_"))
            .collect();
        if !own.is_empty() {
            output.line("headers");
            for (name, value) in own {
                output.line(format!("  {name}: {}", value.as_str().unwrap_or_default()));
            }
        }
        output.line(format!(
            "body, {} bytes",
            record.payload.as_deref().map_or(0, <[u8]>::len)
        ));
        for line in body_lines(&record, self.full) {
            output.line(line);
        }
        Ok(0)
    }
}

impl Again {
    async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let found = self.found(wiring).await?;
        let keys: Vec<Letter> = found.iter().map(|r| key(r, &content(r))).collect();
        let known = known(wiring, &keys).await?;
        let (mut chosen, mut before) = (Vec::new(), Vec::new());
        for (record, key) in found.into_iter().zip(keys) {
            match known.get(&key) {
                Some(earlier) if !self.force => before.push((key, earlier.clone())),
                Some(_) | None => chosen.push((record, key)),
            }
        }
        if let [(letter, earlier)] = before.as_slice()
            && chosen.is_empty()
        {
            return Err(Failure::refused(format!(
                "{}[{}]@{} was redriven {}",
                letter.topic,
                letter.partition,
                letter.offset,
                again(earlier)
            ))
            .hint("say --force to do it once more"));
        }
        if chosen.is_empty() {
            output.json(&json!({ "redriven": [], "left_alone": before.len() }));
            output.line(match before.len() {
                0 => "nothing to redrive".to_owned(),
                n => format!("nothing to redrive; {n} redriven before, and left alone (--force)"),
            });
            return Ok(0);
        }
        let rows: Vec<Vec<String>> = chosen
            .iter()
            .map(|(record, _)| {
                let refused = still_refused(record, wiring.config.intake.max_plan_bytes);
                vec![
                    record.place(),
                    format!("→ {}", source_topic(record)),
                    refused.map_or("it can be read now".to_owned(), |p| {
                        short(&format!("will be refused again: {}", wire::summary(&p)), 90)
                    }),
                ]
            })
            .collect();
        output.table(&["DEAD LETTER", "TO", "WHAT TO EXPECT"], &rows);
        if !before.is_empty() {
            output.line(format!(
                "{} were redriven before and are left alone (--force)",
                before.len()
            ));
        }
        ask::confirm(
            self.yes,
            &format!("Publish {} again?", count(chosen.len(), "message")),
        )?;
        let redrives: Vec<Redrive> = chosen
            .iter()
            .map(|(record, key)| self.redrive(wiring, record, key))
            .collect();
        let mut left = before.len();
        for part in redrives.chunks(TOGETHER) {
            left += wiring.store.redrive(part).await?.len();
        }
        let done = chosen.len() + before.len() - left;
        let places: Vec<String> = chosen.iter().map(|(record, _)| record.place()).collect();
        output.json(&json!({ "redriven": places, "left_alone": left }));
        output.line(format!(
            "on their way to their topics again: {}",
            count(done, "message")
        ));
        Ok(0)
    }

    async fn found(&self, wiring: &Wiring) -> Result<Vec<Record>, Failure> {
        if let (Some(topic), Some(partition), Some(offset)) = (&self.topic, self.partition, self.offset) {
            return Ok(vec![one(wiring, topic, partition, offset).await?]);
        }
        let topics = topics(self.topic.as_deref())?;
        let mut records = scan::read(&wiring.bus, &topics, Range::default());
        let mut found = Vec::new();
        while let Some(record) = records.recv().await {
            let record = record?;
            if matches(&record, self.reason_contains.as_deref()) {
                found.push(record);
            }
        }
        Ok(found)
    }

    fn redrive(&self, wiring: &Wiring, record: &Record, key: &Letter) -> Redrive {
        let mut kept: serde_json::Map<String, Value> = headers(record)
            .into_iter()
            .filter(|(name, _)| name != "traceparent" && !name.starts_with("dlq_"))
            .collect();
        kept.insert("dlq_redriven_from".to_owned(), record.place().into());
        Redrive {
            letter: key.clone(),
            message: Message {
                topic: source_topic(record),
                key: String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).replace('\0', ""),
                event_id: wire::event_id(&["redrive", &record.place(), &key.content]),
                body: Body::Raw(record.payload.clone().unwrap_or_default()),
                headers: kept.into(),
                traceparent: record
                    .header("traceparent")
                    .filter(|t| wire::is_traceparent(t))
                    .map(str::to_owned),
            },
            tenant_id: tenant_of(record),
            by: format!("cli:{}", user()),
            reason: self.reason.clone().unwrap_or_default(),
            force: self.force,
            now: wiring.clock.stamp(),
        }
    }
}

/// The dead-letter topics, or the one that is meant.
fn topics(named: Option<&str>) -> Result<Vec<String>, Failure> {
    let all: Vec<String> = Wiring::topics()
        .into_iter()
        .map(|t| t.name)
        .filter(|n| n.ends_with(".dlq"))
        .collect();
    let Some(named) = named else { return Ok(all) };
    let full = format!("{}.dlq", named.trim_end_matches(".dlq"));
    if all.contains(&full) {
        Ok(vec![full])
    } else {
        let sources: Vec<&str> = all.iter().map(|t| t.trim_end_matches(".dlq")).collect();
        Err(Failure::invalid(format!("{named} has no dead letters"))
            .hint(format!("topics that have: {}", sources.join(", "))))
    }
}

async fn one(wiring: &Wiring, topic: &str, partition: i32, offset: i64) -> Result<Record, Failure> {
    let topics = topics(Some(topic))?;
    let range = Range {
        partition: Some(partition),
        only: Some(offset),
        ..Range::default()
    };
    let found: Option<Result<Record, BusError>> = scan::read(&wiring.bus, &topics, range).recv().await;
    found.transpose()?.ok_or_else(|| {
        Failure::not_found(format!("there is no dead letter at {}[{partition}]@{offset}", topics.join("")))
            .hint("`campaign-execution dlq list` lists those there are; Kafka forgets them after the topic's retention")
    })
}

async fn known(wiring: &Wiring, letters: &[Letter]) -> Result<HashMap<Letter, Redriven>, Failure> {
    let mut all = HashMap::new();
    for part in letters.chunks(TOGETHER) {
        all.extend(wiring.store.redriven(part).await?);
    }
    Ok(all)
}

fn matches(record: &Record, reason: Option<&str>) -> bool {
    reason.is_none_or(|wanted| record.header("dlq_reason").is_some_and(|r| r.contains(wanted)))
}

fn key(record: &Record, content: &str) -> Letter {
    Letter {
        topic: record.topic.clone(),
        partition: record.partition,
        offset: record.offset,
        content: content.to_owned(),
    }
}

fn content(record: &Record) -> String {
    hex::encode(Sha256::digest(record.payload.as_deref().unwrap_or_default()))
}

fn source_topic(record: &Record) -> String {
    record.topic.trim_end_matches(".dlq").to_owned()
}

fn when(record: &Record) -> String {
    if let Some(at) = record.header("dlq_at") {
        return at.get(..19).map_or_else(|| at.to_owned(), |t| format!("{t}Z"));
    }
    record
        .timestamp_ms
        .and_then(DateTime::<Utc>::from_timestamp_millis)
        .map(|t| t.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}

fn again(before: &Redriven) -> String {
    let times = if before.times > 1 {
        format!(", {} times in all", before.times)
    } else {
        String::new()
    };
    format!("{} by {}{times}", super::status::time(before.at), before.by)
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most).collect();
    format!("{cut}…")
}

fn headers(record: &Record) -> Vec<(String, Value)> {
    record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned().into()))
        .collect()
}

fn note(record: &Record, redriven: Option<&Redriven>) -> Value {
    json!({
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "source": record.header("dlq_source"),
        "at": record.header("dlq_at"), "reason": record.header("dlq_reason"), "pointer": record.header("dlq_pointer"),
        "key": String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()),
        "redriven": redriven.map(|r| json!({ "at": r.at, "by": r.by, "times": r.times })),
    })
}

/// Whose letter it is, as far as it tells.
fn tenant_of(record: &Record) -> String {
    let in_key = record.key.as_deref().and_then(|k| std::str::from_utf8(k).ok());
    let in_key = in_key
        .and_then(|k| k.split('/').next())
        .and_then(|t| TenantId::parse(t).ok());
    let in_body = || {
        let data: Value = serde_json::from_slice(record.payload.as_deref()?).ok()?;
        TenantId::parse(data.get("tenant_id")?.as_str()?).ok()
    };
    in_key
        .or_else(in_body)
        .map_or_else(|| NOBODY.to_owned(), |t| t.to_string())
}

/// What would be wrong with it if it came now; none: it can be read.
fn still_refused(record: &Record, limit: usize) -> Option<Vec<Invalid>> {
    let read = || {
        let data = wire::unwrap(&record.headers, record.payload.as_deref(), limit)?.data;
        match source_topic(record).as_str() {
            "plan.approved" => wire::plan::parse(&data).map(|_| ()),
            "tenant.onboarded" => control::parse::<Tenant>("tenant.onboarded", &data).map(|_| ()),
            "execution.approval" => control::parse::<Approval>("execution.approval", &data).map(|_| ()),
            "execution.control" => control::parse::<Control>("execution.control", &data).map(|_| ()),
            _ => control::parse::<LaunchCommand>("launch.command", &data).map(|_| ()),
        }
    };
    read().err()
}

/// What a person should do about it.
fn fix(record: &Record, now: Option<&[Invalid]>) -> String {
    let place = format!(
        "--topic {} --partition {} --offset {}",
        source_topic(record),
        record.partition,
        record.offset
    );
    match now {
        None => format!(
            "what it lacked was outside of it (a plan that had not come yet, a stricter rule of an earlier version): \
             `campaign-execution dlq redrive {place}`"
        ),
        Some(problems) => {
            let at: Vec<&str> = problems
                .iter()
                .map(|p| p.pointer.as_str())
                .filter(|p| !p.is_empty())
                .take(3)
                .collect();
            if at.is_empty() {
                "its bytes cannot be read at all: have its sender publish it again, as JSON in UTF-8 or as a CloudEvent; \
                 redriving these bytes ends here again"
                    .to_owned()
            } else {
                format!(
                    "have its sender correct {} and publish it again{}; redriving these bytes ends here again",
                    at.join(", "),
                    if source_topic(record) == "plan.approved" {
                        " with a later approved_at"
                    } else {
                        ""
                    }
                )
            }
        }
    }
}

fn body_value(record: &Record) -> Value {
    let bytes = record.payload.as_deref().unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        Err(_) => json!({ "hex": hex::encode(bytes) }),
    }
}

/// The longest body that is shown unasked, lines.
const SHOWN: usize = 40;

/// Text as text, JSON laid out, anything else in hexadecimal.
fn body_lines(record: &Record, full: bool) -> Vec<String> {
    let bytes = record.payload.as_deref().unwrap_or_default();
    let most = if full { usize::MAX } else { SHOWN };
    let mut lines: Vec<String> = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let laid_out = serde_json::from_str::<Value>(text)
                .ok()
                .and_then(|v| serde_json::to_string_pretty(&v).ok());
            let text = laid_out.unwrap_or_else(|| text.to_owned());
            text.lines()
                .take(most.saturating_add(1))
                .map(|line| {
                    if full {
                        format!("  {line}")
                    } else {
                        format!("  {}", short(line, 160))
                    }
                })
                .collect()
        }
        Err(_) => bytes
            .chunks(16)
            .enumerate()
            .take(most.saturating_add(1))
            .map(|(row, chunk)| {
                let hex: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
                let text: String = chunk
                    .iter()
                    .map(|b| {
                        if b.is_ascii_graphic() || *b == b' ' {
                            char::from(*b)
                        } else {
                            '.'
                        }
                    })
                    .collect();
                format!("  {:08x}  {:<47}  {text}", row * 16, hex.join(" "))
            })
            .collect(),
    };
    if lines.len() > most {
        lines.truncate(most);
        lines.push("  … (--full)".to_owned());
    }
    lines
}
