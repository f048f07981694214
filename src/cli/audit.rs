//! `audit verify` and `audit export`: whether anything in the audit log was changed, deleted or cut off, and the log with its proof.
//!
//! Must not hold more of the log in memory than a page.

use super::output::{Output, count};
use super::{Failure, help};
use crate::store::Store;
use crate::store::audit::{ChainReport, GENESIS, Head, Link, Walk};
use crate::wiring::Wiring;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The name and version of the export's form.
const FORM: &str = "campaign-execution-audit.v1";
/// Rows written at once.
const PAGE: i64 = 1000;

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum Command {
    /// Walk every tenant's chain from its first entry to its head, or check an export
    #[command(after_help = help::AUDIT_VERIFY)]
    Verify(Verify),
    /// Write the log as JSON Lines, with what proves that it is whole
    #[command(after_help = help::AUDIT_EXPORT)]
    Export(Export),
}

/// What to verify.
#[derive(Args)]
pub struct Verify {
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// An export, or its last line, from earlier: its head must still be in the chain. Shows what was cut off together with the head
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Verify this export instead; needs no database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["head"])]
    file: Option<PathBuf>,
}

/// What to export.
#[derive(Args)]
pub struct Export {
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only entries about this plan version; the links to those between them are not in the export
    #[arg(long, value_name = "PLAN_VERSION")]
    plan: Option<String>,
    /// From the first entry of that time on, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// One line of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// The beginning of a tenant's part.
    Begin(Begin),
    /// An entry.
    Entry(Link),
    /// The end of a tenant's part.
    End {
        /// Where the chain stood.
        head: Head,
        /// How many entries were written.
        entries: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    format: String,
    tenant_id: String,
    /// The entry before the first one that may follow.
    after_seq: i64,
    /// Its hash.
    after_hash: String,
    /// Only entries about this plan version follow.
    plan_version: Option<String>,
    exported_at: String,
}

impl Command {
    /// Runs it; a file is verified without any configuration.
    pub async fn run(
        self,
        wiring: impl Fn() -> Result<Wiring, Failure>,
        output: &Output,
    ) -> Result<u8, Failure> {
        match self {
            Self::Verify(Verify {
                file: Some(file),
                tenant,
                ..
            }) => {
                let found = verify_file(&file)?;
                told(
                    output,
                    found
                        .into_iter()
                        .filter(|r| tenant.as_deref().is_none_or(|t| t == r.tenant_id))
                        .collect(),
                )
            }
            Self::Verify(verify) => verify.run(&wiring()?, output).await,
            Self::Export(export) => export.run(&wiring()?).await,
        }
    }
}

impl Verify {
    async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let kept = self.head.as_deref().map(heads).transpose()?.unwrap_or_default();
        let reports = wiring
            .store
            .verify_audit_against(self.tenant.as_deref(), &kept)
            .await?;
        if let Some(tenant) = self.tenant.as_ref().filter(|_| reports.is_empty()) {
            return Err(Failure::not_found(format!("tenant {tenant} has no audit log")));
        }
        told(output, reports)
    }
}

/// Prints what was found.
fn told(output: &Output, reports: Vec<ChainReport>) -> Result<u8, Failure> {
    output.json(&reports);
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|r| {
            let state = if r.broken.is_some() { "broken" } else { "whole" };
            vec![
                state.to_owned(),
                r.tenant_id.clone(),
                r.entries.to_string(),
                r.head.clone(),
                r.broken.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        output.line("there is nothing to verify: nothing was audited yet");
        return Ok(0);
    }
    output.table(&["CHAIN", "TENANT", "ENTRIES", "HEAD", "WHAT IS WRONG"], &rows);
    let broken = reports.iter().filter(|r| r.broken.is_some()).count();
    if broken > 0 {
        return Err(Failure::failed(format!(
            "broken: {}; the log was tampered with",
            count(broken, "chain")
        ))
        .hint("restore it from a backup whose head is known, and find out who had superuser access"));
    }
    Ok(0)
}

impl Export {
    async fn run(self, wiring: &Wiring) -> Result<u8, Failure> {
        let heads = wiring.store.audit_heads(self.tenant.as_deref()).await?;
        if let Some(tenant) = self.tenant.as_ref().filter(|_| heads.is_empty()) {
            return Err(Failure::not_found(format!("tenant {tenant} has no audit log")));
        }
        self.known(&wiring.store, &heads).await?;
        let mut out: Box<dyn Write + Send> = match &self.output {
            Some(path) => Box::new(BufWriter::new(File::create(path).map_err(|e| of(path, &e))?)),
            None => Box::new(BufWriter::new(std::io::stdout())),
        };
        for head in &heads {
            self.chain(wiring, head, &mut out).await?;
        }
        match out.flush() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
            Err(_) | Ok(()) => Ok(0),
        }
    }

    /// An export that is empty for a misspelt version would pass for "nothing happened".
    async fn known(&self, store: &Store, heads: &[Head]) -> Result<(), Failure> {
        let Some(plan) = &self.plan else {
            return Ok(());
        };
        for head in heads {
            let first = store
                .audit_page_of((&head.tenant_id, plan), 0, head.seq, 1)
                .await?;
            if !first.is_empty() {
                return Ok(());
            }
        }
        Err(
            Failure::not_found(format!("no entry of the audit log is about plan version {plan}"))
                .hint("`campaign-execution status` lists the plan versions"),
        )
    }

    async fn chain(
        &self,
        wiring: &Wiring,
        head: &Head,
        out: &mut Box<dyn Write + Send>,
    ) -> Result<(), Failure> {
        let store = &wiring.store;
        let after = match self.since {
            None => 0,
            Some(since) => store
                .audit_since(&head.tenant_id, since)
                .await?
                .map_or(head.seq, |seq| seq - 1),
        };
        let before = store.audit_page(&head.tenant_id, after - 1, after, 1).await?;
        let begin = Begin {
            format: FORM.to_owned(),
            tenant_id: head.tenant_id.clone(),
            after_seq: after,
            after_hash: before
                .first()
                .map_or_else(|| GENESIS.to_owned(), |l| l.hash.clone()),
            plan_version: self.plan.clone(),
            exported_at: wiring.clock.stamp(),
        };
        write(out, &Line::Begin(begin))?;
        let (mut at, mut entries) = (after, 0);
        loop {
            let page = match &self.plan {
                Some(plan) => {
                    store
                        .audit_page_of((&head.tenant_id, plan), at, head.seq, PAGE)
                        .await?
                }
                None => store.audit_page(&head.tenant_id, at, head.seq, PAGE).await?,
            };
            let Some(last) = page.last() else { break };
            at = last.seq;
            for link in page {
                write(out, &Line::Entry(link))?;
                entries += 1;
            }
        }
        let head = head.clone();
        write(out, &Line::End { head, entries })
    }
}

fn write(out: &mut Box<dyn Write + Send>, line: &Line) -> Result<(), Failure> {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    out.write_all(text.as_bytes()).map_err(|e| cannot_write(&e))
}

fn cannot_write(error: &std::io::Error) -> Failure {
    Failure::failed(format!("couldn't write the export: {error}"))
}

fn of(path: &Path, error: &std::io::Error) -> Failure {
    Failure::invalid(format!("{}: {error}", path.display()))
}

/// The lines of an export, one at a time.
fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Line, Failure>>, Failure> {
    let name = path.display().to_string();
    let file = BufReader::new(File::open(path).map_err(|e| of(path, &e))?);
    Ok((1..).zip(file.lines()).filter_map(move |(number, line)| {
        let bad = |why: String| Failure::invalid(format!("{name}: line {number}: {why}"));
        match line {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) => Some(
                serde_json::from_str(&text).map_err(|_| bad("is not a line of an audit export".to_owned())),
            ),
            Err(error) => Some(Err(bad(error.to_string()))),
        }
    }))
}

/// The heads in an export.
fn heads(path: &Path) -> Result<Vec<Head>, Failure> {
    let mut heads = Vec::new();
    for line in lines(path)? {
        if let Line::End { head, .. } = line? {
            heads.push(head);
        }
    }
    if heads.is_empty() {
        return Err(
            Failure::invalid(format!("{}: there is no head in it", path.display()))
                .hint("a head is the last line of an `audit export`: {\"head\":{…}}"),
        );
    }
    Ok(heads)
}

/// A tenant's part of an export, being read.
struct Part {
    begin: Begin,
    walk: Walk,
    entries: u64,
    broken: Option<String>,
}

/// Verifies an export as an auditor would, without the database.
fn verify_file(path: &Path) -> Result<Vec<ChainReport>, Failure> {
    let bad = |what: &str| Failure::invalid(format!("{}: {what}", path.display()));
    let (mut reports, mut part): (Vec<ChainReport>, Option<Part>) = (Vec::new(), None);
    for line in lines(path)? {
        match (line?, part.take()) {
            (Line::Begin(begin), None) if begin.format == FORM => {
                part = Some(Part {
                    walk: Walk::after(begin.after_seq, begin.after_hash.clone()),
                    begin,
                    entries: 0,
                    broken: None,
                });
            }
            (Line::Begin(begin), None) => {
                return Err(bad(&format!("its form {:?} is not known", begin.format)));
            }
            (Line::Entry(link), Some(mut open)) => {
                open.entries += 1;
                if open.broken.is_none() {
                    let sparse = open.begin.plan_version.is_some();
                    open.broken = open.walk.step(&link, sparse).err();
                }
                part = Some(open);
            }
            (Line::End { head, entries }, Some(open)) => reports.push(ended(open, head, entries)),
            (Line::Begin(_), Some(_)) => return Err(bad("a chain has no end: the export was cut short")),
            (Line::Entry(_) | Line::End { .. }, None) => {
                return Err(bad("an entry stands outside of any chain"));
            }
        }
    }
    if part.is_some() {
        return Err(bad("the last chain has no end: the export was cut short"));
    }
    Ok(reports)
}

fn ended(open: Part, head: Head, entries: u64) -> ChainReport {
    let whole = open.begin.plan_version.is_none();
    let broken = open.broken.or_else(|| {
        if head.tenant_id != open.begin.tenant_id {
            Some(format!("the head is that of tenant {}", head.tenant_id))
        } else if entries != open.entries {
            Some(format!("{} of {entries} entries are there", open.entries))
        } else if whole {
            open.walk.end(&head).err()
        } else {
            None
        }
    });
    ChainReport {
        tenant_id: head.tenant_id,
        entries: i64::try_from(open.entries).unwrap_or(i64::MAX),
        head: head.hash,
        broken,
    }
}
