//! `plan offers`: what each objective on each channel becomes on each platform, or why not and what to use instead.
//!
//! Must not know an offer: each platform's folder says what it makes of what (`Platform::offer`), and its `check` refuses the
//! rest in the same words. `docs/offers.md` is this command's `--markdown`.

use super::output::Output;
use crate::domain::plan::Objective;
use crate::platform::{self, NotOffered, Platform};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be planned.
#[derive(Args)]
pub struct Offers {
    /// As the page docs/offers.md
    #[arg(long)]
    markdown: bool,
}

/// One combination.
struct Row {
    objective: Objective,
    channel: Option<&'static str>,
    becomes: Result<&'static str, NotOffered>,
}

/// Every platform in the recommended order.
fn platforms() -> Vec<Arc<dyn Platform>> {
    let mut all = platform::all();
    all.sort_by_key(|p| p.traits().position);
    all
}

/// Every combination that a platform knows the parts of.
fn rows(platform: &dyn Platform) -> Vec<Row> {
    let channels: Vec<Option<&'static str>> = match platform.channels() {
        [] => vec![None],
        named => named.iter().copied().map(Some).collect(),
    };
    let mut rows = Vec::new();
    for channel in channels {
        for objective in Objective::ALL {
            let becomes = platform.offer(objective, channel);
            rows.push(Row {
                objective,
                channel,
                becomes,
            });
        }
    }
    rows
}

impl Offers {
    /// Runs it.
    pub fn run(self, output: &Output) {
        if self.markdown {
            output.line(markdown().trim_end());
            return;
        }
        output.json(&as_json());
        let mut table = Vec::new();
        for platform in platforms() {
            for row in rows(platform.as_ref()) {
                let (offered, what) = told(&row.becomes);
                table.push(vec![
                    if offered { "yes" } else { "no" }.to_owned(),
                    platform.name().to_owned(),
                    row.channel.unwrap_or("").to_owned(),
                    row.objective.as_str().to_owned(),
                    what,
                ]);
            }
            for (format, not) in platform.formats_not_offered() {
                let (_, what) = told(&Err(*not));
                let format = format!("format {format}");
                table.push(vec![
                    "no".to_owned(),
                    platform.name().to_owned(),
                    String::new(),
                    format,
                    what,
                ]);
            }
        }
        output.table(
            &["", "PLATFORM", "CHANNEL", "OBJECTIVE", "BECOMES, OR WHY NOT"],
            &table,
        );
    }
}

fn told(becomes: &Result<&'static str, NotOffered>) -> (bool, String) {
    match becomes {
        Ok(what) => (true, (*what).to_owned()),
        Err(not) => (
            false,
            format!("not offered: {}; instead: {}", not.why, not.instead),
        ),
    }
}

fn as_json() -> Value {
    let (mut all, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for platform in platforms() {
        let rows: Vec<Value> = rows(platform.as_ref())
            .into_iter()
            .map(|row| match row.becomes {
                Ok(what) => json!({ "channel": row.channel, "objective": row.objective, "becomes": what }),
                Err(not) => json!({ "channel": row.channel, "objective": row.objective, "why_not": not.why, "instead": not.instead }),
            })
            .collect();
        let formats = platform.formats_not_offered().iter();
        let formats: Vec<Value> = formats
            .map(|(format, not)| json!({ "format": format, "why_not": not.why, "instead": not.instead }))
            .collect();
        if !formats.is_empty() {
            refused.insert(platform.name(), formats);
        }
        all.insert(platform.name(), rows);
    }
    json!({ "offers": all, "formats_not_offered": refused })
}

/// The page `docs/offers.md`.
fn markdown() -> String {
    let mut page = String::from(
        "# What can be planned\n\n\
         What each objective on each channel becomes, in the platform's words; or why it is not offered and what to use instead. \
         `plan check` and\nthe gate refuse in the same words. Written by `campaign-execution plan offers --markdown` (a test keeps this page \
         equal to the code:\n`UPDATE_OFFERS=1 cargo test --lib offers` writes it anew).\n",
    );
    for platform in platforms() {
        page.push_str(&format!(
            "\n## {} (`{}`)\n",
            platform.traits().display_name,
            platform.name()
        ));
        page.push_str("\n| channel | objective | becomes |\n|---|---|---|\n");
        for row in rows(platform.as_ref()) {
            let channel = row.channel.map_or_else(|| "–".to_owned(), |c| format!("`{c}`"));
            let (_, what) = told(&row.becomes);
            page.push_str(&format!(
                "| {channel} | `{}` | {} |\n",
                row.objective.as_str(),
                what.replace('|', "\\|")
            ));
        }
        let formats = platform.formats_not_offered();
        if !formats.is_empty() {
            page.push_str("\n| ad format | |\n|---|---|\n");
        }
        for (format, not) in formats {
            let (_, what) = told(&Err(*not));
            page.push_str(&format!("| `{format}` | {} |\n", what.replace('|', "\\|")));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::{LegSpec, leg_specs};
    use crate::wire;

    /// A leg of the contract's example on this platform.
    fn example(platform: &dyn Platform) -> LegSpec {
        let text = include_str!("../../schemas/examples/plan.approved.json");
        let plan = wire::plan::parse(&serde_json::from_str(text).unwrap()).expect("the example is valid");
        let specs = leg_specs(&plan, "does_not_contain");
        let mine = specs
            .into_iter()
            .find(|s| s.key.platform.as_str() == platform.name());
        mine.expect("the example has a leg on each platform")
    }

    #[test]
    fn the_page_says_what_the_code_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/offers.md");
        if std::env::var_os("UPDATE_OFFERS").is_some() {
            std::fs::write(path, markdown()).expect("docs/offers.md is written");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(page, markdown(), "run UPDATE_OFFERS=1 cargo test --lib offers");
    }

    /// Whatever the format is asked for with: the channel, the objective.
    #[test]
    fn a_format_that_is_not_offered_is_refused_in_the_same_words() {
        let mut refused = 0;
        for platform in platforms() {
            for (format, not) in platform.formats_not_offered() {
                let mut spec = example(platform.as_ref());
                (*format).clone_into(&mut spec.campaign.ad_groups[0].ads[0].format);
                let problems = platform::problems(platform.as_ref(), &spec);
                let pointer = "/ad_groups/0/ads/0/format";
                let told = |p: &platform::Problem| {
                    p.pointer == pointer && p.what == not.why && p.remedy == not.instead
                };
                assert!(
                    problems.iter().any(told),
                    "{} {format}: {problems:?}",
                    platform.name()
                );
                refused += 1;
            }
        }
        assert!(refused > 0, "every format is offered everywhere");
    }

    /// Every combination that the contract can spell: what is not offered is refused in the same words, what is offered is not
    /// refused with any of those words (the example lacks what other forms need, which is refused in words of its own).
    #[test]
    fn what_is_not_offered_is_refused_in_the_same_words() {
        let mut channels: Vec<Option<&'static str>> = vec![None];
        for platform in platforms() {
            channels.extend(platform.channels().iter().copied().map(Some));
        }
        channels.sort_unstable();
        channels.dedup();
        for platform in platforms() {
            let example = example(platform.as_ref());
            let offer = |channel: &Option<&'static str>, objective| platform.offer(objective, *channel);
            let whys: Vec<&str> = channels
                .iter()
                .flat_map(|c| Objective::ALL.map(|o| offer(c, o)))
                .filter_map(|offered| offered.err().map(|not| not.why))
                .collect();
            for channel in &channels {
                for objective in Objective::ALL {
                    let mut spec = example.clone();
                    spec.campaign.objective = objective;
                    spec.campaign.channel = channel.map(str::to_owned);
                    let problems = platform::problems(platform.as_ref(), &spec);
                    let about = format!(
                        "{} {} {channel:?}: {problems:?}",
                        platform.name(),
                        objective.as_str()
                    );
                    match platform.offer(objective, *channel) {
                        Ok(_) => assert!(
                            !problems.iter().any(|p| whys.contains(&p.what.as_str())),
                            "offered and refused: {about}"
                        ),
                        Err(not) => assert!(
                            problems
                                .iter()
                                .any(|p| p.what == not.why && p.remedy.contains(not.instead)),
                            "not offered and not refused with {:?}, {:?}: {about}",
                            not.why,
                            not.instead
                        ),
                    }
                }
            }
        }
    }
}
