//! The `filter` of lists: restrictions, `AND`, `OR`, parentheses.
//!
//! Grammar and fields stand at each list method, for example
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/list>; a sequence is an implicit
//! `AND`, and `OR` binds more tightly (<https://google.aip.dev/160>). Must not know objects; a caller says what a field holds.

use super::schema::Schema;
use super::{Fault, Kind};
use chrono::{DateTime, Utc};

/// "The length of this field should be no more than 500 characters."
const LONGEST: usize = 500;
/// Fields of creatives that may be restricted once at the most.
const ONCE: &[&str] = &[
    "entityStatus",
    "minDuration",
    "maxDuration",
    "updateTime",
    "dynamic",
];

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    AtLeast,
    AtMost,
    Has,
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Is(String, Operator, String),
}

impl Filter {
    /// Whether an object passes; `compare` says whether one restriction holds.
    pub(super) fn passes(&self, compare: &impl Fn(&str, Operator, &str) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|p| p.passes(compare)),
            Self::Any(parts) => parts.iter().any(|p| p.passes(compare)),
            Self::Is(field, operator, value) => compare(field, *operator, value),
        }
    }

    /// How often a field is restricted.
    pub(super) fn times(&self, name: &str) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(|p| p.times(name)).sum(),
            Self::Is(field, ..) => usize::from(field == name),
        }
    }

    fn restrictions<'a>(&'a self, into: &mut Vec<(&'a str, Operator, &'a str)>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|p| p.restrictions(into)),
            Self::Is(field, operator, value) => into.push((field, *operator, value)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Operator(Operator),
    Word(String),
    Quoted(String),
}

fn bad(what: impl std::fmt::Display) -> Fault {
    Fault::invalid(format!("Invalid filter: {what}"))
}

/// A filter for a kind's list.
pub(super) fn parse(text: &str, kind: &Kind) -> Result<Filter, Fault> {
    if text.chars().count() > LONGEST {
        return Err(bad("it is longer than 500 characters"));
    }
    let filter = parsed(text)?;
    let mut all = Vec::new();
    filter.restrictions(&mut all);
    for (field, operator, value) in all {
        if !kind.filters.contains(&field) {
            return Err(bad(format_args!("the field {field} is not supported")));
        }
        let fits = match field {
            "updateTime" => matches!(operator, Operator::AtLeast | Operator::AtMost),
            "lineItemIds" => operator == Operator::Has,
            _ => operator == Operator::Equals,
        };
        if !fits {
            return Err(bad(format_args!("the operator of {field} is not supported")));
        }
        if field == "updateTime" && value.parse::<DateTime<Utc>>().is_err() {
            return Err(bad(format_args!("{value} is no time")));
        }
        if field == "entityStatus" && !Schema::get().has_value("EntityStatus", value) {
            return Err(bad(format_args!("{value} is no entity status")));
        }
    }
    if kind.name == "creative"
        && let Some(name) = ONCE.iter().find(|name| filter.times(name) > 1)
    {
        return Err(bad(format_args!(
            "there may be at most one restriction of {name}"
        )));
    }
    Ok(filter)
}

/// A filter whose fields nobody has looked at yet.
pub(super) fn parsed(text: &str) -> Result<Filter, Fault> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let filter = sequence(&mut rest)?;
    if rest.is_empty() {
        Ok(filter)
    } else {
        Err(bad("a parenthesis closes that never opened"))
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' => drop(chars.next()),
            '(' | ')' | ':' | '=' => {
                chars.next();
                tokens.push(match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    ':' => Token::Operator(Operator::Has),
                    _ => Token::Operator(Operator::Equals),
                });
            }
            '<' | '>' => {
                chars.next();
                if chars.next() != Some('=') {
                    return Err(bad("only =, >=, <= and : are operators"));
                }
                let operator = if c == '<' {
                    Operator::AtMost
                } else {
                    Operator::AtLeast
                };
                tokens.push(Token::Operator(operator));
            }
            '"' => {
                chars.next();
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => word.extend(chars.next()),
                        Some(c) => word.push(c),
                        None => return Err(bad("a quotation mark is missing")),
                    }
                }
                tokens.push(Token::Quoted(word));
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| !" ()=<>:\"".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn keyword(rest: &mut &[Token], word: &str) -> bool {
    match rest.split_first() {
        Some((Token::Word(first), tail)) if first == word => {
            *rest = tail;
            true
        }
        _ => false,
    }
}

fn sequence(rest: &mut &[Token]) -> Result<Filter, Fault> {
    let mut parts = vec![factor(rest)?];
    while !matches!(rest.first(), None | Some(Token::Close)) {
        keyword(rest, "AND");
        parts.push(factor(rest)?);
    }
    Ok(one_or(parts, Filter::All))
}

fn factor(rest: &mut &[Token]) -> Result<Filter, Fault> {
    let mut parts = vec![term(rest)?];
    while keyword(rest, "OR") {
        parts.push(term(rest)?);
    }
    Ok(one_or(parts, Filter::Any))
}

fn one_or(mut parts: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn term(rest: &mut &[Token]) -> Result<Filter, Fault> {
    match *rest {
        [Token::Open, tail @ ..] => {
            *rest = tail;
            let inner = sequence(rest)?;
            match rest.split_first() {
                Some((Token::Close, tail)) => {
                    *rest = tail;
                    Ok(inner)
                }
                _ => Err(bad("a parenthesis is not closed")),
            }
        }
        [
            Token::Word(field),
            Token::Operator(operator),
            Token::Word(value) | Token::Quoted(value),
            tail @ ..,
        ] => {
            let found = Filter::Is(field.clone(), *operator, value.clone());
            *rest = tail;
            Ok(found)
        }
        _ => Err(bad("a restriction has the form {field} {operator} {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::KINDS;
    use super::*;

    #[test]
    fn the_vendors_own_examples_are_understood() {
        let (lines, creatives) = (&KINDS[2], &KINDS[3]);
        for text in [
            r#"insertionOrderId="1234""#,
            r#"(entityStatus="ENTITY_STATUS_ACTIVE" OR entityStatus="ENTITY_STATUS_PAUSED") AND lineItemType="LINE_ITEM_TYPE_DISPLAY_DEFAULT""#,
            r#"updateTime>="2020-11-04T18:54:47Z""#,
        ] {
            assert!(parse(text, lines).is_ok(), "{text}");
        }
        for text in [
            r#"entityStatus="ENTITY_STATUS_ACTIVE" AND (dimensions="300x400" OR dimensions="50x100")"#,
            r#"dynamic="true" AND minDuration="5.2s" AND (exchangeReviewStatus="EXCHANGE_GOOGLE_AD_MANAGER-REVIEW_STATUS_APPROVED" OR exchangeReviewStatus="EXCHANGE_APPNEXUS-REVIEW_STATUS_APPROVED")"#,
            r#"creativeType="CREATIVE_TYPE_VIDEO" AND (lineItemIds:1 OR lineItemIds:2)"#,
            "creativeId=1 OR creativeId=2",
        ] {
            assert!(parse(text, creatives).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_the_vendor_would_refuse_is_refused() {
        let (lines, creatives) = (&KINDS[2], &KINDS[3]);
        for (kind, text, why) in [
            (lines, r#"name="x""#, "not supported"),
            (lines, r#"displayName:"x""#, "operator of displayName"),
            (
                lines,
                r#"updateTime="2020-11-04T18:54:47Z""#,
                "operator of updateTime",
            ),
            (lines, r#"updateTime>="yesterday""#, "no time"),
            (lines, r#"entityStatus="ACTIVE""#, "no entity status"),
            (lines, r#"displayName="x"#, "quotation mark"),
            (lines, r#"(displayName="x""#, "not closed"),
            (lines, r#"displayName="x")"#, "never opened"),
            (lines, "displayName", "has the form"),
            (lines, "", "has the form"),
            (creatives, r#"displayName="x""#, "not supported"),
            (creatives, r#"lineItemIds="1""#, "operator of lineItemIds"),
            (
                creatives,
                r#"entityStatus="ENTITY_STATUS_ACTIVE" OR entityStatus="ENTITY_STATUS_PAUSED""#,
                "at most one",
            ),
        ] {
            let error = parse(text, kind).unwrap_err();
            assert!(error.message.contains(why), "{text}: {}", error.message);
        }
        let long = format!("displayName=\"{}\"", "x".repeat(500));
        assert!(parse(&long, lines).unwrap_err().message.contains("500"));
    }
}
