//! Values that fields are made of, each with its bound, so that no kind can hold more than
//! admission and memory are ready for.

use std::borrow::Cow;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Defines a string with a bound and a pattern that the API server holds it to.
macro_rules! bounded_string {
    ($(#[$doc:meta])* $name:ident, $description:literal, max = $max:literal, pattern = $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": $description,
                    "minLength": 1,
                    "maxLength": $max,
                    "pattern": $pattern
                })
            }
        }
    };
}

bounded_string!(
    /// A name as Kubernetes labels have them: RFC 1123, at most 63 characters.
    Name,
    "A name as Kubernetes labels have them: lower case letters, digits and dashes, at most 63 characters.",
    max = 63,
    pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
);
bounded_string!(
    /// A word of the data owner's own: the name of a field, a segment, a version, a person.
    Word,
    "A word without spaces, at most 63 characters.",
    max = 63,
    pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.@+]*[A-Za-z0-9])?$"
);
bounded_string!(
    /// One line for people.
    Line,
    "One line of text, at most 256 characters.",
    max = 256,
    pattern = "^[^\\x00-\\x1f\\x7f]+$"
);
bounded_string!(
    /// A few sentences for people.
    Text,
    "A few sentences, at most 1024 characters.",
    max = 1024,
    pattern = "^[^\\x00-\\x08\\x0b-\\x1f\\x7f]+$"
);
bounded_string!(
    /// A URI (RFC 3986).
    Uri,
    "A URI with its scheme, at most 512 characters.",
    max = 512,
    pattern = "^[a-z][a-z0-9+.-]*:[!-~]+$"
);
bounded_string!(
    /// A content digest as OCI writes it.
    ContentDigest,
    "A content digest: sha256: and 64 hexadecimal digits.",
    max = 71,
    pattern = "^sha256:[0-9a-f]{64}$"
);
bounded_string!(
    /// An image by its digest, as OCI names it.
    PinnedImage,
    "An image by its digest: registry/repository@sha256: and 64 hexadecimal digits.",
    max = 512,
    pattern = "^[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}$"
);
bounded_string!(
    /// The name of a case of a rehearsal.
    CaseName,
    "The name of a case of a rehearsal: lower case letters, digits, dots and dashes.",
    max = 128,
    pattern = "^[a-z0-9][a-z0-9.-]*$"
);
bounded_string!(
    /// The digest of what is opened, as Comity computes it.
    OpeningDigest,
    "The digest of what is opened: v1:sha256: and 64 hexadecimal digits.",
    max = 74,
    pattern = "^v1:sha256:[0-9a-f]{64}$"
);
bounded_string!(
    /// An e-mail address, loosely.
    Email,
    "An e-mail address, at most 254 characters.",
    max = 254,
    pattern = "^[^@\\s]+@[^@\\s]+$"
);
bounded_string!(
    /// A host name, as a SPIFFE trust domain has it.
    Host,
    "A host name in lower case, at most 253 characters.",
    max = 253,
    pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
);
bounded_string!(
    /// Where images may come from: a registry, and optionally a path in it.
    Registry,
    "A registry and optionally a path in it, without a tag: registry.example/partners.",
    max = 253,
    pattern = "^[a-z0-9]([-a-z0-9._:/]*[a-z0-9])?$"
);
bounded_string!(
    /// Time of day as 24 hours write it.
    TimeOfDay,
    "A time of day from 00:00 to 24:00.",
    max = 5,
    pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
);
bounded_string!(
    /// PEM blocks (RFC 7468).
    Pem,
    "One or more PEM certificates, at most 64 KiB.",
    max = 65536,
    pattern = "^-----BEGIN CERTIFICATE-----"
);
bounded_string!(
    /// A number between 0 and 1, as text: floats have no place in an API.
    Ratio,
    "A decimal number from 0 to 1.",
    max = 8,
    pattern = "^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$"
);

/// A network in CIDR notation (RFC 4632, RFC 4291).
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Cidr(pub String);

impl JsonSchema for Cidr {
    fn schema_name() -> Cow<'static, str> {
        "Cidr".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A network in CIDR notation: 192.0.2.0/24 or 2001:db8::/32.",
            "minLength": 4,
            "maxLength": 43,
            "x-kubernetes-validations": [{
                "rule": "isCIDR(self) && cidr(self) == cidr(self).masked()",
                "message": "not a network: write it as 192.0.2.0/24, with no bits set after the prefix"
            }]
        })
    }
}

/// A length of time as GEP-2257 writes it: `720h`, `1h30m`, `45s`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Duration(pub String);

impl Duration {
    /// The length; `None` where the text isn't a GEP-2257 duration.
    pub fn length(&self) -> Option<SignedDuration> {
        let mut total = 0_i64;
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let digits =
                rest.find(|letter: char| !letter.is_ascii_digit()).filter(|end| (1..=5).contains(end))?;
            let number: i64 = rest.get(..digits)?.parse().ok()?;
            let after = rest.get(digits..)?;
            let (unit, left) = unit_in_milliseconds(after)?;
            total = total.checked_add(number.checked_mul(unit)?)?;
            rest = left;
        }
        (!self.0.is_empty()).then(|| SignedDuration::from_millis(total))
    }
}

/// The unit that `text` begins with, in milliseconds, and what comes after it.
fn unit_in_milliseconds(text: &str) -> Option<(i64, &str)> {
    [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find_map(|(unit, length)| text.strip_prefix(unit).map(|left| (length, left)))
}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time (GEP-2257): 720h, 1h30m, 45s.",
            "minLength": 2,
            "maxLength": 24,
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
            "x-kubernetes-validations": [{
                "rule": "duration(self) > duration('0s') && duration(self) <= duration('26304h')",
                "message": "must be longer than nothing and at most three years (26304h)"
            }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_gep_2257_writes_them() {
        let seconds = |text: &str| Duration::from(text).length().map(|length| length.as_secs());
        assert_eq!(seconds("720h"), Some(720 * 3600));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("45s"), Some(45));
        assert_eq!(Duration::from("500ms").length(), Some(SignedDuration::from_millis(500)));
        for wrong in ["", "h", "-1h", "1", "1d", "999999h", "1.5h"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
