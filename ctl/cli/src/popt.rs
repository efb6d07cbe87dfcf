//! Words to options by the rules of the popt library, which ipvsadm is built on.
//!
//! A short option's argument is the rest of its word (one `=` skipped) or the next word, whatever that starts
//! with; a long option's follows `=` or is the next word. Long options are not abbreviated. `--` ends options;
//! other words may stand anywhere.

use crate::options::{Action, Argument, ROWS, Row};

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    UnknownOption,
    MissingArgument,
    UnwantedArgument,
}

impl Bad {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::UnknownOption => "unknown option",
            Self::MissingArgument => "missing argument",
            Self::UnwantedArgument => "option does not take an argument",
        }
    }
}

/// Reads options one by one.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    words: &'a [String],
    next: usize,
    /// What is left of a word of short options.
    cluster: Option<&'a str>,
    only_operands: bool,
    operands: Vec<&'a str>,
    /// sluicectl has options that ipvsadm does not know.
    own_options: bool,
}

impl<'a> Words<'a> {
    pub(crate) const fn new(words: &'a [String], own_options: bool) -> Self {
        Self { words, next: 0, cluster: None, only_operands: false, operands: Vec::new(), own_options }
    }

    /// The next option with its argument; `None` at the end.
    pub(crate) fn next_option(&mut self) -> Option<Result<(Action, Option<&'a str>), Bad>> {
        if let Some(cluster) = self.cluster.take() {
            return Some(self.short(cluster));
        }
        loop {
            let word = self.next_word()?;
            match word.strip_prefix('-') {
                Some(rest) if !rest.is_empty() && !self.only_operands => match rest.strip_prefix('-') {
                    Some("") => self.only_operands = true,
                    Some(long) => return Some(self.long(long)),
                    None => return Some(self.short(rest)),
                },
                _ => self.operands.push(word),
            }
        }
    }

    /// The word last read, which messages quote whole.
    pub(crate) fn last_word(&self) -> &'a str {
        self.next.checked_sub(1).and_then(|at| self.words.get(at)).map_or("", String::as_str)
    }

    /// Words that were no options, once all options are read.
    pub(crate) fn into_operands(self) -> Vec<&'a str> {
        self.operands
    }

    fn next_word(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    fn find(&self, wanted: impl Fn(&Row) -> bool) -> Result<&'static Row, Bad> {
        ROWS.iter()
            .filter(|row| self.own_options || !matches!(row.action, Action::Json | Action::Socket))
            .find(|row| wanted(row))
            .ok_or(Bad::UnknownOption)
    }

    fn long(&mut self, word: &'a str) -> Result<(Action, Option<&'a str>), Bad> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let row = self.find(|row| row.long == name)?;
        match (row.argument, value) {
            (Argument::None, Some(_)) => Err(Bad::UnwantedArgument),
            (_, Some(value)) => Ok((row.action, Some(value))),
            (_, None) => self.argument_from_next_word(row),
        }
    }

    fn short(&mut self, cluster: &'a str) -> Result<(Action, Option<&'a str>), Bad> {
        let mut letters = cluster.chars();
        let letter = letters.next();
        let row = self.find(|row| row.short.is_some() && row.short == letter)?;
        let rest = letters.as_str();
        let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
        match (row.argument, value) {
            (Argument::None, Some(_)) if rest.starts_with('=') => Err(Bad::UnwantedArgument),
            (Argument::None, value) => {
                self.cluster = value;
                Ok((row.action, None))
            }
            (_, Some(value)) => Ok((row.action, Some(value))),
            (_, None) => self.argument_from_next_word(row),
        }
    }

    fn argument_from_next_word(&mut self, row: &Row) -> Result<(Action, Option<&'a str>), Bad> {
        let argument = match row.argument {
            Argument::None => None,
            Argument::Required(_) => Some(self.next_word().ok_or(Bad::MissingArgument)?),
            Argument::Optional(_) => match self.words.get(self.next) {
                Some(word) if !word.starts_with('-') => self.next_word(),
                _ => None,
            },
        };
        Ok((row.action, argument))
    }
}
