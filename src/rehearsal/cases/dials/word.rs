//! What `comity dial` says of what it dialled, a line for each place: itself, a word of it, and after how many
//! milliseconds. Written and read here, so that nothing else is believed than what is written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Place;

/// It answers.
pub const OPEN: &str = "open";
/// Nobody answers in time.
pub const SILENT: &str = "no answer";
/// There is no way to it.
pub const UNREACHABLE: &str = "unreachable";
/// Something here keeps from dialling it.
pub const FORBIDDEN: &str = "not permitted";
/// Somebody refuses: what is dialled, or what holds the pod.
pub const REFUSED: &str = "refused";
/// Anything else.
pub const TROUBLE: &str = "an error";

const ALL: [&str; 6] = [OPEN, SILENT, UNREACHABLE, FORBIDDEN, REFUSED, TROUBLE];

/// The longest that is told, in milliseconds, and of how many digits that is.
const LONGEST: u64 = 99_999;
const DIGITS: usize = 5;

/// What came of a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Came {
    /// One of these words.
    pub word: &'static str,
    /// How long it was dialled until that was known.
    pub took: Duration,
}

/// The line of a place, without its end.
pub fn line(place: Place, came: Came) -> String {
    let took = u64::try_from(came.took.as_millis()).unwrap_or(LONGEST).min(LONGEST);
    format!("{place} {} {took}", came.word)
}

/// What was told of each place. A line that isn't one of those counts for nothing.
pub fn read(told: &str) -> BTreeMap<Place, Came> {
    told.lines().filter_map(one).collect()
}

fn one(line: &str) -> Option<(Place, Came)> {
    let (place, rest) = line.split_once(' ')?;
    let (said, took) = rest.rsplit_once(' ')?;
    let word = ALL.into_iter().find(|word| *word == said)?;
    let is_number = took.len() <= DIGITS && took.bytes().all(|digit| digit.is_ascii_digit());
    let took = Duration::from_millis(took.parse().ok().filter(|_| is_number)?);
    Some((place.parse().ok()?, Came { word, took }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_nothing_else_is() {
        let places =
            ["10.0.0.1:8443", "[fd00::7]:443", "dns:10.0.0.3:53"].map(|text| text.parse::<Place>().unwrap());
        for (word, took) in ALL.into_iter().zip([0, 1, 12, 4_999, 99_999, 1_000_000]) {
            let told = places.map(|place| line(place, Came { word, took: Duration::from_millis(took) }));
            let read = read(&format!("{}\n", told.join("\n")));
            let took = Duration::from_millis(took.min(99_999));
            assert_eq!(read, places.map(|place| (place, Came { word, took })).into());
        }
        for strange in [
            "10.0.0.1:8443 open",
            "10.0.0.1:8443 open 1 2",
            "10.0.0.1:8443 open -1",
            "10.0.0.1:8443 open +1",
            "10.0.0.1:8443 open ",
            "10.0.0.1:8443 open 100000",
            "10.0.0.1:8443 OPEN 1",
            "10.0.0.1:8443 anything that somebody likes 1",
            "10.0.0.1 open 1",
            "x:1 open 1",
            "udp:10.0.0.1:53 open 1",
            "nonsense",
        ] {
            assert!(read(strange).is_empty(), "{strange}");
        }
    }
}
