//! GAQL: reading a query.
//!
//! Must not evaluate it (`rows.rs` does). Grammar: <https://developers.google.com/google-ads/api/docs/query/grammar>.

use super::errors::Fault;

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Like,
    NotLike,
    ContainsAny,
    ContainsAll,
    ContainsNone,
    IsNull,
    IsNotNull,
    Between,
    During,
}

/// One condition; all of them must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) operator: Operator,
    pub(super) values: Vec<String>,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) select: Vec<String>,
    pub(super) from: String,
    pub(super) conditions: Vec<Condition>,
    /// Fields, and whether descending.
    pub(super) order: Vec<(String, bool)>,
    pub(super) limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

fn bad(code: &str, message: String) -> Fault {
    Fault::new("queryError", code, &message)
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    const SYMBOLS: &[&str] = &["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else if first == '\'' || first == '"' {
            let (value, used) = quoted(&rest[1..], first)?;
            out.push(Token::Text(value));
            rest = &rest[1 + used..];
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/' | '~');
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(bad(
                    "BAD_SYMBOL",
                    format!("Invalid symbol '{first}' in the query."),
                ));
            }
            out.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// The text up to the closing quote, and how many bytes it took with the quote.
fn quoted(text: &str, quote: char) -> Result<(String, usize), Fault> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '\'' | '"'))) => value.push(escaped),
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                _ => {
                    return Err(bad(
                        "BAD_ESCAPE_SEQUENCE",
                        "The query contains a bad escape sequence.".into(),
                    ));
                }
            },
            '\n' => {
                return Err(bad(
                    "PROHIBITED_NEWLINE_IN_STRING",
                    "A newline is not allowed in a string.".into(),
                ));
            }
            c if c == quote => return Ok((value, at + 1)),
            c => value.push(c),
        }
    }
    Err(bad(
        "STRING_NOT_TERMINATED",
        "A string in the query was not terminated.".into(),
    ))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Result<Token, Fault> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| bad("UNEXPECTED_END_OF_QUERY", "The query ended unexpectedly.".into()))
    }

    /// Takes the keyword if it comes next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let here =
            matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
        self.at += usize::from(here);
        here
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let here = matches!(self.tokens.get(self.at), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(here);
        here
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            Token::Text(text) => Err(bad("UNEXPECTED_INPUT", format!("Unexpected input '{text}'."))),
            Token::Symbol(symbol) => Err(bad("UNEXPECTED_INPUT", format!("Unexpected input '{symbol}'."))),
        }
    }

    fn value(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Token::Word(value) | Token::Text(value) => Ok(value),
            Token::Symbol(symbol) => Err(bad(
                "EXPECTED_SINGLE_VALUE",
                format!("Expected a value, not '{symbol}'."),
            )),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Fault> {
        if !self.symbol("(") {
            return Err(bad("EXPECTED_LIST", "Expected a list in parentheses.".into()));
        }
        if self.symbol(")") {
            return Err(bad(
                "PROHIBITED_EMPTY_LIST_IN_CONDITION",
                "The list must not be empty.".into(),
            ));
        }
        let mut values = vec![self.value()?];
        while self.symbol(",") {
            values.push(self.value()?);
        }
        if self.symbol(")") {
            Ok(values)
        } else {
            Err(bad(
                "EXPECTED_LIST",
                "A list in parentheses was not closed.".into(),
            ))
        }
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        const PLAIN: &[(&str, Operator)] = &[
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
        ];
        if let Some((_, operator)) = PLAIN.iter().find(|(symbol, _)| self.symbol(symbol)) {
            return Ok(*operator);
        }
        if self.keyword("not") {
            if self.keyword("in") {
                return Ok(Operator::NotIn);
            }
            if self.keyword("like") {
                return Ok(Operator::NotLike);
            }
        } else if self.keyword("contains") {
            for (word, operator) in [
                ("any", Operator::ContainsAny),
                ("all", Operator::ContainsAll),
                ("none", Operator::ContainsNone),
            ] {
                if self.keyword(word) {
                    return Ok(operator);
                }
            }
        } else if self.keyword("is") {
            let operator = if self.keyword("not") {
                Operator::IsNotNull
            } else {
                Operator::IsNull
            };
            if self.keyword("null") {
                return Ok(operator);
            }
        } else {
            for (word, operator) in [
                ("in", Operator::In),
                ("like", Operator::Like),
                ("between", Operator::Between),
                ("during", Operator::During),
            ] {
                if self.keyword(word) {
                    return Ok(operator);
                }
            }
        }
        Err(bad("BAD_OPERATOR", "The operator is not known.".into()))
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let field = self.word()?;
        let operator = self.operator()?;
        let values = match operator {
            Operator::In
            | Operator::NotIn
            | Operator::ContainsAny
            | Operator::ContainsAll
            | Operator::ContainsNone => self.list()?,
            Operator::IsNull | Operator::IsNotNull => Vec::new(),
            Operator::Between => {
                let low = self.value()?;
                if !self.keyword("and") {
                    return Err(bad(
                        "EXPECTED_VALUE_WITH_BETWEEN_OPERATOR",
                        "BETWEEN needs two values.".into(),
                    ));
                }
                vec![low, self.value()?]
            }
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::Like
            | Operator::NotLike
            | Operator::During => vec![self.value()?],
        };
        Ok(Condition {
            field,
            operator,
            values,
        })
    }
}

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Query, Fault> {
    let mut p = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    if !p.keyword("select") {
        return Err(bad("EXPECTED_SELECT", "The query must begin with SELECT.".into()));
    }
    let mut select = vec![p.word()?];
    while p.symbol(",") {
        select.push(p.word()?);
    }
    if !p.keyword("from") {
        return Err(bad("EXPECTED_FROM", "Expected FROM.".into()));
    }
    let from = p.word()?;
    let mut query = Query {
        select,
        from,
        conditions: Vec::new(),
        order: Vec::new(),
        limit: None,
    };
    if p.keyword("where") {
        query.conditions.push(p.condition()?);
        while p.keyword("and") {
            query.conditions.push(p.condition()?);
        }
    }
    if p.keyword("order") {
        if !p.keyword("by") {
            return Err(bad("EXPECTED_BY", "Expected BY after ORDER.".into()));
        }
        loop {
            let field = p.word()?;
            let descending = p.keyword("desc");
            if !descending {
                p.keyword("asc");
            }
            query.order.push((field, descending));
            if !p.symbol(",") {
                break;
            }
        }
    }
    if p.keyword("limit") {
        let limit = p.word()?;
        match limit.parse::<usize>() {
            Ok(0) | Err(_) => return Err(bad("BAD_LIMIT_VALUE", format!("'{limit}' is not a valid limit."))),
            Ok(n) => query.limit = Some(n),
        }
    }
    if p.keyword("parameters") {
        p.at = p.tokens.len();
    }
    match p.tokens.get(p.at) {
        None => Ok(query),
        Some(token) => Err(bad("UNEXPECTED_INPUT", format!("Unexpected input {token:?}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_with_its_escapes_and_lists() {
        let q = parse(
            r"SELECT campaign.id, campaign.name FROM campaign WHERE campaign.name = 'it\'s' AND campaign.status != REMOVED
              AND campaign.id IN (1, 2) AND label.name LIKE '%x' ORDER BY campaign.id DESC, campaign.name LIMIT 5",
        )
        .unwrap();
        assert_eq!(q.conditions[0].values, ["it's"]);
        assert_eq!(q.conditions[2].values, ["1", "2"]);
        assert_eq!(
            q.order,
            [
                ("campaign.id".to_owned(), true),
                ("campaign.name".to_owned(), false)
            ]
        );
        assert_eq!(q.limit, Some(5));
    }

    #[test]
    fn what_is_not_gaql_is_refused_with_its_code() {
        for (text, code) in [
            ("campaign.id FROM campaign", "EXPECTED_SELECT"),
            ("SELECT campaign.id campaign", "EXPECTED_FROM"),
            (
                "SELECT campaign.id FROM campaign WHERE campaign.name = 'x",
                "STRING_NOT_TERMINATED",
            ),
            (
                "SELECT campaign.id FROM campaign WHERE campaign.id IN ()",
                "PROHIBITED_EMPTY_LIST_IN_CONDITION",
            ),
            (
                "SELECT campaign.id FROM campaign WHERE campaign.id ~ 1",
                "BAD_OPERATOR",
            ),
            ("SELECT campaign.id FROM campaign LIMIT x", "BAD_LIMIT_VALUE"),
            ("SELECT campaign.id FROM campaign LIMIT 1 x", "UNEXPECTED_INPUT"),
        ] {
            assert_eq!(parse(text).unwrap_err().code, code, "{text}");
        }
    }
}
