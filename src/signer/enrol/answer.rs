//! What the endpoint answers: a certificate, or why not, in words for who asks. Pure. Nothing that is said to
//! somebody who hasn't shown who they are says what there is.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::pki::policy::outside;
use crate::pki::requested::KeyRefusal;
use crate::signer::error::SignError;

/// A certificate, and what goes with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Granted {
    /// The chain as PEM: the certificate alone, since the anchor signs it directly.
    pub certificate: String,
    /// The anchors of the stage as PEM, by which to know whom to talk to.
    pub trust: String,
    /// Whose it is: the SPIFFE ID.
    pub id: String,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl Granted {
    /// As JSON.
    pub fn body(&self) -> String {
        let Self { certificate, trust, id, not_after } = self;
        let body = json!({"certificate": certificate, "trust": trust, "spiffeId": id, "notAfter": not_after});
        format!("{body}\n")
    }
}

/// What is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Given {
    /// A certificate.
    Certificate(Granted),
    /// The anchors of the stage that somebody is certified for, as PEM, and until when they are.
    Trust(String),
}

impl Given {
    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Certificate(_) => StatusCode::CREATED,
            Self::Trust(_) => StatusCode::OK,
        }
    }

    /// One word, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "Issued",
            Self::Trust(_) => "Told",
        }
    }

    /// As JSON.
    pub fn body(&self) -> String {
        match self {
            Self::Certificate(granted) => granted.body(),
            Self::Trust(trust) => format!("{}\n", json!({"trust": trust})),
        }
    }
}

/// Why nothing is given.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is nothing at that path.
    #[error(
        "there is nothing here: POST /v1/enrol/<namespace>/<grant>/<stage>/<workload>, POST /v1/renew, GET /v1/trust"
    )]
    NoSuchPath,
    /// Another method is needed.
    #[error("that is asked by another method")]
    OtherMethod,
    /// Too much was sent.
    #[error("more was sent than any request takes")]
    TooLong,
    /// Asked too often.
    #[error("too many requests: ask again in {} seconds", .0.as_secs().max(1))]
    TooOften(SignedDuration),
    /// Nobody knows who asks.
    #[error(
        "show who you are: by the token of this very grant (Authorization: Bearer comity-enrol-…), or by a certificate \
         that is valid"
    )]
    Unknown,
    /// The certificate was signed by an authority that was given up.
    #[error("the authority of your certificate was given up: enrol again, by a token")]
    GivenUp,
    /// The partner's certificate isn't that workload's.
    #[error("the last part of your SPIFFE ID has to be the workload's name")]
    OtherWorkload,
    /// The token is another workload's.
    #[error("this token is for another stage or workload of the grant")]
    Elsewhere,
    /// The token's time is over.
    #[error("this token could be used until {0}: have another one made")]
    Ended(Timestamp),
    /// The token was used.
    #[error("this token was used: have another one made")]
    Used,
    /// The request for a certificate isn't one that is certified.
    #[error("{0}")]
    Request(#[from] KeyRefusal),
    /// What stands doesn't allow it.
    #[error("{0}")]
    Stage(#[from] outside::Refusal),
    /// Trouble of our own.
    #[error("it can't be signed just now: ask again in a moment, with the same key")]
    Trouble(#[from] SignError),
    /// The authority can't sign, or another takes over.
    #[error("the authority can't sign just now: ask again later, with the same key")]
    Authority(String),
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.word() == other.word() && self.to_string() == other.to_string()
    }
}

impl Refusal {
    /// One of each, for who lists them.
    pub fn every() -> Vec<Self> {
        let stage = outside::Refusal::every().map(Self::Stage);
        let trouble = SignError::Unsettled { secret: String::new() };
        let first = [Self::Request(KeyRefusal::Missing), Self::Unknown, Self::GivenUp, Self::OtherWorkload];
        let then = [Self::Elsewhere, Self::Ended(Timestamp::UNIX_EPOCH)];
        let paths = [Self::NoSuchPath, Self::OtherMethod, Self::Used, Self::TooLong];
        let last =
            [Self::TooOften(SignedDuration::ZERO), Self::Trouble(trouble), Self::Authority(String::new())];
        first.into_iter().chain(then).chain(stage).chain(paths).chain(last).collect()
    }

    /// The HTTP status (RFC 9110).
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unknown | Self::GivenUp => StatusCode::UNAUTHORIZED,
            Self::OtherWorkload | Self::Elsewhere | Self::Ended(_) | Self::Stage(_) => StatusCode::FORBIDDEN,
            Self::Used => StatusCode::CONFLICT,
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Trouble(_) | Self::Authority(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word, for programs, logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "NoSuchPath",
            Self::OtherMethod => "OtherMethod",
            Self::TooLong => "TooLong",
            Self::TooOften(_) => "TooOften",
            Self::Unknown => "Unknown",
            Self::GivenUp => "AuthorityGivenUp",
            Self::OtherWorkload => "CertificateForAnother",
            Self::Elsewhere => "TokenForAnother",
            Self::Ended(_) => "TokenEnded",
            Self::Used => "TokenUsed",
            Self::Request(_) => "RequestRefused",
            Self::Stage(refusal) => refusal.word(),
            Self::Trouble(_) => "Trouble",
            Self::Authority(_) => "AuthorityCannotSign",
        }
    }

    /// In how many seconds to ask again, where that helps.
    pub fn again_in(&self) -> Option<i64> {
        match self {
            Self::TooOften(wait) => Some(wait.as_secs().max(1)),
            Self::Trouble(_) => Some(2),
            Self::Authority(_) => Some(30),
            _ => None,
        }
    }

    /// As JSON. Trouble of our own is for the log alone.
    pub fn body(&self) -> String {
        format!("{}\n", json!({"reason": self.word(), "message": self.to_string()}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_is_listed_in_the_order_of_its_status() {
        let number = |refusal: &Refusal| match refusal {
            Refusal::NoSuchPath => 0,
            Refusal::OtherMethod => 1,
            Refusal::TooLong => 2,
            Refusal::TooOften(_) => 3,
            Refusal::Unknown => 4,
            Refusal::GivenUp => 5,
            Refusal::OtherWorkload => 6,
            Refusal::Elsewhere => 7,
            Refusal::Ended(_) => 8,
            Refusal::Used => 9,
            Refusal::Request(_) => 10,
            Refusal::Trouble(_) => 11,
            Refusal::Authority(_) => 12,
            Refusal::Stage(outside::Refusal::NoStage) => 13,
            Refusal::Stage(outside::Refusal::Over) => 14,
            Refusal::Stage(outside::Refusal::Held) => 15,
            Refusal::Stage(outside::Refusal::Doubted) => 16,
            Refusal::Stage(outside::Refusal::NotDelivered) => 17,
            Refusal::Stage(outside::Refusal::NoWorkload(_)) => 18,
        };
        let every = Refusal::every();
        let mut numbers: Vec<usize> = every.iter().map(number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..19).collect::<Vec<_>>());
        assert!(every.is_sorted_by_key(|refusal| refusal.status().as_u16()));
    }

    #[test]
    fn nobody_is_told_what_is_our_own_trouble() {
        let trouble = Refusal::Trouble(SignError::Unsettled { secret: "comity-ca-x".to_owned() });
        assert!(!trouble.body().contains("comity-ca-x"), "{}", trouble.body());
        let authority = Refusal::Authority("its key was lost".to_owned());
        assert!(!authority.body().contains("lost"), "{}", authority.body());
        assert_eq!((trouble.again_in(), authority.again_in()), (Some(2), Some(30)));
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_ask_again() {
        let refusal = Refusal::TooOften(SignedDuration::from_millis(10));
        assert_eq!((refusal.again_in(), refusal.status().as_u16()), (Some(1), 429));
    }
}
