//! What somebody answers, or has given: each answer is read before the next question is asked.

use std::io::{BufRead, Write};

use clap::Args;
use jiff::{Timestamp, ToSpan as _};

use crate::cli::page::plain;
use crate::cli::person::{MISUSED, NOT_CONFIRMED, Stop};

/// How often somebody is asked the same.
const TRIES: usize = 3;

/// What was given on the command line.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Given {
    /// The namespace of your team, where the data is shared from
    #[arg(short, long, value_name = "NAME", value_parser = crate::cli::value::name)]
    pub(super) namespace: Option<String>,

    /// The partner: the name of its Partner, which the platform team makes
    #[arg(long, value_name = "NAME", value_parser = crate::cli::value::name)]
    pub(super) partner: Option<String>,

    /// The dataset
    #[arg(long, value_name = "NAME", value_parser = crate::cli::value::name)]
    pub(super) dataset: Option<String>,

    /// The fields of it that are shared
    #[arg(long, value_name = "FIELD,…")]
    pub(super) fields: Option<String>,

    /// What for
    #[arg(long, value_name = "NAME", value_parser = crate::cli::value::name)]
    pub(super) purpose: Option<String>,

    /// The group of the data's owners, one of whom has to approve production
    #[arg(long, value_name = "GROUP", value_parser = crate::cli::value::name)]
    pub(super) owners: Option<String>,

    /// The contract's end
    #[arg(long, value_name = "DAY")]
    pub(super) until: Option<String>,
}

/// Every answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answers {
    pub(super) namespace: String,
    pub(super) partner: String,
    pub(super) dataset: String,
    pub(super) fields: Vec<String>,
    pub(super) purpose: String,
    pub(super) owners: String,
    /// As a day: 2027-12-31.
    pub(super) until: String,
}

/// A question: what is asked, the answer where none is given, and how one is read.
struct Question<'a, T> {
    asked: &'a str,
    flag: &'a str,
    usual: Option<String>,
    read: fn(&str) -> Result<T, String>,
}

/// Somebody who can be asked, or not.
struct Somebody<'a, R, W> {
    asks: bool,
    from: &'a mut R,
    to: &'a mut W,
}

impl Answers {
    /// What was given, and what somebody answers to the rest.
    pub(super) fn of(
        given: Given,
        asks: bool,
        now: Timestamp,
        from: &mut impl BufRead,
        to: &mut impl Write,
    ) -> Result<Self, Stop> {
        let mut somebody = Somebody { asks, from, to };
        let name = crate::cli::value::name;
        let mut named = |asked, flag, given: Option<String>, usual: Option<&str>| {
            somebody.answer(&Question { asked, flag, usual: usual.map(str::to_owned), read: name }, given)
        };
        let namespace = named("Which namespace is your team's", "--namespace", given.namespace, None)?;
        let partner =
            named("Which partner is it for (the name of its Partner)", "--partner", given.partner, None)?;
        let dataset = named("What is the dataset called", "--dataset", given.dataset, None)?;
        let purpose =
            named("What for, in a word or two (fraud-detection)", "--purpose", given.purpose, None)?;
        let owners = named(
            "Which group owns the data, and approves production",
            "--owners",
            given.owners,
            Some("data-owners"),
        )?;
        let asked = "Which of its fields, separated by commas";
        let fields = Question { asked, flag: "--fields", usual: None, read: fields };
        let fields = somebody.answer(&fields, given.fields)?;
        let usual = Some(in_a_year(now));
        let until = Question { asked: "Until which day at the latest", flag: "--until", usual, read: day };
        let until = somebody.answer(&until, given.until)?;
        Ok(Self { namespace, partner, dataset, fields, purpose, owners, until })
    }
}

impl<R: BufRead, W: Write> Somebody<'_, R, W> {
    /// What was given, or is answered.
    fn answer<T>(&mut self, question: &Question<'_, T>, given: Option<String>) -> Result<T, Stop> {
        let Question { asked, flag, usual, read } = question;
        if let Some(given) = given {
            return read(&given).map_err(|why| Stop::new(MISUSED, format!("{flag} {given}: {why}")));
        }
        if !self.asks {
            let usual = usual
                .as_ref()
                .ok_or_else(|| Stop::new(MISUSED, format!("there is no terminal to ask on: give {flag}")))?;
            return read(usual).map_err(|why| Stop::new(MISUSED, why));
        }
        for _ in 0..TRIES {
            let answer = self.ask(asked, usual.as_deref())?;
            match read(&answer) {
                Ok(read) => return Ok(read),
                Err(why) => self.say(&format!("  {}\n", plain(&why)))?,
            }
        }
        Err(Stop::new(NOT_CONFIRMED, format!("{asked}? wasn't answered; nothing was written")))
    }

    fn ask(&mut self, asked: &str, usual: Option<&str>) -> Result<String, Stop> {
        let hint = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        self.say(&format!("{asked}?{hint} "))?;
        let mut line = String::new();
        let read = self.from.read_line(&mut line).map_err(|_| unasked())?;
        if read == 0 {
            return Err(unasked());
        }
        let line = line.trim();
        Ok(if line.is_empty() { usual.unwrap_or_default() } else { line }.to_owned())
    }

    fn say(&mut self, text: &str) -> Result<(), Stop> {
        self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).map_err(|_| unasked())
    }
}

fn unasked() -> Stop {
    Stop::new(NOT_CONFIRMED, "the question couldn't be asked; nothing was written")
}

fn in_a_year(now: Timestamp) -> String {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    today.checked_add(1.year()).unwrap_or(today).to_string()
}

/// Words, each once, in the order in which they are given.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields: Vec<String> = Vec::new();
    for field in text.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.@+".contains(letter);
        let edges = [field.chars().next(), field.chars().last()];
        let is_word = field.len() <= 63 && field.chars().all(fits);
        if !is_word || !edges.into_iter().flatten().all(|letter| letter.is_ascii_alphanumeric()) {
            return Err(format!(
                "{field:?} isn't a field's name: use letters, digits and any of - _ . @ + within"
            ));
        }
        if !fields.iter().any(|known| known == field) {
            fields.push(field.to_owned());
        }
    }
    if fields.is_empty() { Err("name at least one".to_owned()) } else { Ok(fields) }
}

/// A day, as it is written: 2027-12-31.
fn day(text: &str) -> Result<String, String> {
    let day: Result<jiff::civil::Date, _> = text.parse();
    match day {
        Ok(day) if (1900..3000).contains(&day.year()) => Ok(day.to_string()),
        _ => Err("write the day as 2027-12-31".to_owned()),
    }
}
