//! What Comity's processes serve over HTTP, as a page: written from what they go by.

use std::fmt::Write as _;

use crate::ops::{doors, front, http};
use crate::pki::policy::outside;
use crate::signer::enrol::answer::Refusal;
use crate::signer::enrol::ask::CALLS;

/// What each call of the enrolment endpoint takes and gives, in the order of [`CALLS`].
const TOLD: [(&str, &str, &str); CALLS.len()] = [
    (
        "`Authorization: Bearer comity-enrol-…`, or a certificate of the partner's own authority in the handshake",
        "a PKCS #10 request in PEM",
        "201: `certificate` (the chain, PEM), `trust` (the anchors of the stage, PEM), `spiffeId`, `notAfter` (RFC 3339)",
    ),
    (
        "the certificate that was enrolled for, in the handshake",
        "a PKCS #10 request in PEM, of the same key or of another",
        "201: as before",
    ),
    ("the same", "none", "200: `trust`"),
];

/// The page.
pub(super) fn page() -> String {
    let mut text = String::from(
        "# HTTP\n\nWhat Comity's processes serve. Generated; don't edit.\n\n## Every process\n\nAt `--listen`, in the \
         chart port 8080: plain HTTP, for kubelets and for who watches Comity. Nothing of it is secret, and nothing can be \
         changed through it. Any other path is answered with 404, any other method with 405.\n\n\
         | Path | 200 | Otherwise |\n|---|---|---|\n",
    );
    for http::Path { path, says, otherwise: (status, why) } in http::PATHS {
        // Writing to a string can't fail.
        let _infallible = writeln!(text, "| `GET {path}` | {says} | {}: {why} |", status.as_u16());
    }
    text.push_str(&enrolment());
    text
}

/// What is served to workloads on the partner's side.
fn enrolment() -> String {
    let mut text = format!(
        "\n## Enrolment\n\nServed by `comity sign` at `--enrol-listen`, where it is told to: HTTPS (TLS 1.3, HTTP/1.1), one \
         request a connection. [How it is used](../enrol-an-outside-workload.md). A handshake may take {} s, the headers \
         {} s and {} KiB, the body {} s and {} KiB, and all of it {} s: who is slower is hung up on, or answered with 408. \
         So is who finds no place: there are {} for connections, {} of them for one address, and {} more for who shows a \
         certificate that was signed here, {} of them for one address.\n\n\
         | Call | Who asks, by | Body | Answer, JSON |\n|---|---|---|---|\n",
        front::HANDSHAKE.as_secs(),
        front::HEADERS.as_secs(),
        front::LONGEST_HEADERS / 1024,
        front::BODY.as_secs(),
        front::LONGEST_BODY / 1024,
        front::WHOLE.as_secs(),
        doors::PLACES,
        doors::OF_ONE,
        doors::OF_RECOGNISED,
        doors::OF_ONE_RECOGNISED,
    );
    for ((method, path), (who, body, answer)) in CALLS.iter().zip(TOLD) {
        let _infallible = writeln!(text, "| `{method} {path}` | {who} | {body} | {answer} |");
    }
    text.push_str(
        "\nA refusal is JSON too: `reason`, one of these words, which stay as they are, and `message`, for people. Where asking \
         again helps, `Retry-After` says in how many seconds.\n\n\
         | Status | `reason` | Because | `Retry-After` |\n|--:|---|---|---|\n",
    );
    for refusal in Refusal::every() {
        let again = match (&refusal, refusal.again_in()) {
            (Refusal::TooOften(_), _) => "until it may be asked".to_owned(),
            (_, Some(seconds)) => seconds.to_string(),
            (_, None) => String::new(),
        };
        let (status, word) = (refusal.status().as_u16(), refusal.word());
        let _infallible = writeln!(text, "| {status} | `{word}` | {} | {again} |", because(&refusal));
    }
    text
}

/// Why somebody is refused like this.
const fn because(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchPath => "there is nothing at that path",
        Refusal::OtherMethod => "another method is needed there",
        Refusal::TooLong => "the body is longer than any request is",
        Refusal::TooOften(_) => "it was asked more often than an address, a token or an identity may",
        Refusal::Unknown => "nobody knows who asks: no token of this grant, no certificate that is valid",
        Refusal::GivenUp => "the authority of the certificate was given up",
        Refusal::OtherWorkload => "the partner's own certificate isn't that workload's",
        Refusal::Elsewhere => "the token is for another stage or workload",
        Refusal::Ended(_) => "the token could be used until a time that is over",
        Refusal::Used => "the token was used for another key, or too long ago",
        Refusal::Request(_) => "the PKCS #10 request isn't one that is certified; `message` says why",
        Refusal::Trouble(_) => "trouble of Comity's own; its log says which",
        Refusal::Authority(_) => "the authority can't sign just now, or another takes over",
        Refusal::Stage(outside::Refusal::NoStage) => "the stage isn't open",
        Refusal::Stage(outside::Refusal::Over) => "the stage is closed, or its time is over",
        Refusal::Stage(outside::Refusal::Held) => "access is suspended or quarantined",
        Refusal::Stage(outside::Refusal::Doubted) => "the journal of the grant isn't believed",
        Refusal::Stage(outside::Refusal::NotDelivered) => "the contract doesn't let workloads enrol",
        Refusal::Stage(outside::Refusal::NoWorkload(_)) => "the grant has no such workload any more",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::signer::enrol::answer::{Given, Granted};

    #[test]
    fn every_field_of_an_answer_is_named() {
        let text = || String::from("x");
        let granted =
            Granted { certificate: text(), trust: text(), id: text(), not_after: Timestamp::UNIX_EPOCH };
        let given = [Given::Certificate(granted), Given::Trust(text())];
        for (given, (_, _, told)) in given.iter().zip([TOLD[0], TOLD[2]]) {
            assert!(told.starts_with(given.status().as_str()), "{told}");
            let body: serde_json::Value = serde_json::from_str(&given.body()).expect("JSON");
            for field in body.as_object().expect("an object").keys() {
                assert!(told.contains(&format!("`{field}`")), "{field}: {told}");
            }
        }
    }

    #[test]
    fn every_refusal_that_the_guide_explains_is_one_and_the_other_way_round() {
        let guide = include_str!("../../../docs/enrol-an-outside-workload.md");
        let rows = || guide.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5"));
        for refusal in Refusal::every() {
            let (status, word) = (refusal.status().as_str().to_owned(), refusal.word());
            let plain = ["NoSuchPath", "OtherMethod", "TooLong"].contains(&word);
            let explains = |row: &str| row.contains(&status) && (plain || row.contains(&format!("`{word}`")));
            assert!(rows().any(explains), "{status} {word} isn't explained");
        }
        let words: Vec<&str> = Refusal::every().iter().map(Refusal::word).collect();
        for row in rows() {
            let reasons = row.split('|').nth(2).unwrap_or_default().split('`').skip(1).step_by(2);
            for reason in reasons {
                assert!(words.contains(&reason), "{reason} is never said");
            }
        }
    }
}
