//! CustomResourceDefinitions from the types in `api`, finished as Kubernetes wants them.

use serde_json::Value;

use super::{GenerateError, GeneratedFile, yaml};
use crate::api;

/// What every time has to look like. Kubernetes' own `date-time` lets through what nobody can read
/// as a time: years that run over, offsets of 99 hours, anything behind the `Z`.
pub(super) const TIME: &str = "^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
    T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])$";
/// The length of the longest that looks like it.
const TIME_LENGTH: u64 = 35;

/// Every definition, in its final form.
pub fn definitions() -> Result<Vec<Value>, GenerateError> {
    api::definitions()
        .into_iter()
        .map(|definition| {
            let mut value = serde_json::to_value(&definition)
                .map_err(|source| GenerateError::Json { what: "a definition".to_owned(), source })?;
            finish(&mut value);
            Ok(value)
        })
        .collect()
}

/// A file for each definition, named by its plural.
pub fn files() -> Result<Vec<GeneratedFile>, GenerateError> {
    definitions()?
        .iter()
        .map(|definition| {
            let plural =
                definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or("unnamed");
            Ok(GeneratedFile { path: format!("crds/{plural}.yaml"), contents: yaml(plural, definition)? })
        })
        .collect()
}

/// Takes out what derivation puts in and Kubernetes warns about: `nullable` on what is merely
/// optional, formats that the API server doesn't know, and limits written as floats. Holds every
/// time to what can be read as one.
fn finish(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("nullable");
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            if fields.get("format").and_then(Value::as_str) == Some("date-time") {
                fields.insert("pattern".to_owned(), Value::from(TIME));
                fields.insert("maxLength".to_owned(), Value::from(TIME_LENGTH));
            }
            for bound in ["minimum", "maximum"] {
                round(fields.get_mut(bound));
            }
            if let Some(Value::Array(allowed)) = fields.get_mut("enum") {
                allowed.retain(|choice| !choice.is_null());
            }
            fields.values_mut().for_each(finish);
        }
        Value::Array(items) => items.iter_mut().for_each(finish),
        _ => {}
    }
}

/// Writes a bound such as `1.0` as `1`.
#[allow(clippy::cast_possible_truncation, reason = "bounds are small whole numbers")]
fn round(bound: Option<&mut Value>) {
    if let Some(bound) = bound
        && let Some(number) = bound.as_f64()
        && number.fract() == 0.0
    {
        *bound = Value::from(number as i64);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    proptest::proptest! {
        /// But for days that a month doesn't have, which Kubernetes refuses by itself.
        #[test]
        fn whatever_looks_like_a_time_can_be_read_as_one(
            text in proptest::string::string_regex(TIME.trim_matches(['^', '$'])).unwrap()
        ) {
            proptest::prop_assert!(is_let_through(&text), "{text}");
            let is_late = &text[8..10] > "28";
            let read = serde_json::from_value::<Time>(Value::from(text.as_str()));
            proptest::prop_assert!(is_late || read.is_ok(), "{text}: {read:?}");
        }
    }

    fn is_let_through(text: &str) -> bool {
        let length = u64::try_from(text.len()).unwrap();
        length <= TIME_LENGTH && regex::Regex::new(TIME).unwrap().is_match(text)
    }

    #[test]
    fn the_corners_of_what_looks_like_a_time_can_be_read_as_one() {
        let mut tried = 0;
        for date in ["1900-01-01", "1999-12-31", "2024-02-29", "2026-04-30", "2999-12-31"] {
            for time in ["00:00:00", "23:59:59", "09:30:00", "19:00:00", "20:00:00.1", "23:59:59.999999999"] {
                for offset in ["Z", "+00:00", "-00:00", "+14:59", "-14:59", "+09:30"] {
                    let text = format!("{date}T{time}{offset}");
                    assert!(is_let_through(&text), "{text}");
                    serde_json::from_value::<Time>(Value::from(text.as_str()))
                        .unwrap_or_else(|error| panic!("{text}: {error}"));
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 180);
    }

    #[test]
    fn what_comity_writes_looks_like_a_time() {
        for time in ["1970-01-01T00:00:00Z", "2026-11-01T12:30:05.123Z", "2999-12-31T23:59:59Z"] {
            let written = serde_json::to_value(Time(time.parse().unwrap())).unwrap();
            assert!(is_let_through(written.as_str().unwrap()), "{written}");
        }
    }

    /// The first ones are a `date-time` to Kubernetes. It refuses a leap second, an hour 24 and a
    /// day that a month doesn't have itself.
    #[test]
    fn what_could_not_be_read_as_a_time_does_not_look_like_one() {
        for text in [
            "9999-12-31T23:59:59Z",
            "3000-01-01T00:00:00Z",
            "0000-01-01T00:00:00+01:00",
            "2027-01-01T00:00:00+99:99",
            "2027-01-01T00:00:00+15:00",
            "2027-01-01T00:00:00+01:60",
            "2027-01-01T00:00:00ZTx",
            "2027-01-01T00:00:00.1234567890Z",
            "2027-01-01t00:00:00z",
            "2027-01-01T00:00:60Z",
            "2027-01-01T24:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-32T00:00:00Z",
            "2027-01-01T00:00:00Z\n",
        ] {
            assert!(!is_let_through(text), "{text:?}");
        }
    }
}
