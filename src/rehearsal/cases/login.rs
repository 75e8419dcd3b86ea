//! Where the partner's people log in: that it is what the issuer says of itself (OpenID Connect Discovery 1.0, section 4),
//! and that tokens can be verified by its keys (RFC 7517 and 7518). Pure: what it answers was heard before. Nothing that
//! it says gets into a report.

use std::time::Duration;

use http::Uri;
use serde_json::Value;

use crate::rehearsal::case::{Attempt, Observed};

/// The most keys that are looked at: of who publishes more, nobody knows which counts.
const MOST_KEYS: usize = 64;
/// The least length of an RSA modulus in base64url: 2048 bits (RFC 7518, section 3.3).
const RSA_2048: usize = 342;

/// What was heard of an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Login {
    /// It couldn't be asked from here; why.
    Unasked(String),
    /// Something is wrong with what it says, in our words.
    Wrong(String),
    /// It is what it should be.
    Sound,
}

impl Login {
    /// How that stands in a case, where it took so long to ask.
    pub fn attempt(self, took: Duration) -> Attempt {
        let observed = match self {
            Self::Unasked(why) => Observed::Untried(why),
            Self::Wrong(why) => Observed::Refused(why),
            Self::Sound => Observed::Allowed,
        };
        Attempt::Done(observed, took)
    }
}

/// Where an issuer's keys are, by what it says of itself.
pub fn discovered(issuer: &str, said: &[u8]) -> Result<Uri, Login> {
    let document = read(said, "its discovery document")?;
    if document["issuer"] != issuer {
        return Err(Login::Wrong("its discovery document names another issuer".to_owned()));
    }
    let keys = document["jwks_uri"].as_str().and_then(|uri| uri.parse::<Uri>().ok());
    let keys = keys.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    keys.ok_or_else(|| Login::Wrong("its discovery document names no https:// jwks_uri".to_owned()))
}

/// Where an issuer's discovery document is.
pub fn discovery(issuer: &str) -> Option<Uri> {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')).parse().ok()
}

/// What its keys are worth: at least one that verifies, and none that nobody may see.
pub fn keys(said: &[u8]) -> Login {
    sound(said).map_or_else(|login| login, |()| Login::Sound)
}

fn sound(said: &[u8]) -> Result<(), Login> {
    let wrong = |why: &str| Err(Login::Wrong(format!("its key set {why}")));
    let document = read(said, "its key set")?;
    let Some(keys) = document["keys"].as_array() else { return wrong("has no list of keys") };
    if keys.len() > MOST_KEYS {
        return wrong("has more keys than anybody can tell apart");
    }
    if keys.iter().any(|key| key["kty"] == "oct" || !key["d"].is_null() || !key["k"].is_null()) {
        return wrong("publishes a key that has to be secret");
    }
    let signing = keys.iter().filter(|key| key["use"].is_null() || key["use"] == "sig");
    let judged: Vec<bool> = signing.filter_map(is_well_formed).collect();
    if judged.contains(&false) {
        return wrong("has a key that isn't well-formed");
    }
    if judged.is_empty() { wrong("has no key that verifies a signature") } else { Ok(()) }
}

/// A JSON object that was said.
fn read(said: &[u8], what: &str) -> Result<Value, Login> {
    let read = serde_json::from_slice::<Value>(said).ok().filter(Value::is_object);
    read.ok_or_else(|| Login::Wrong(format!("{what} is no JSON object")))
}

/// Whether a key has the parts that its type asks for; `None`: it is of a type that isn't known, and counts for nothing
/// (RFC 7517, section 5).
fn is_well_formed(key: &Value) -> Option<bool> {
    let length = |part: &str| key[part].as_str().filter(|text| is_base64url(text)).map_or(0, str::len);
    match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("RSA"), _) => Some(length("n") >= RSA_2048 && length("e") > 0),
        (Some("EC"), Some("P-256")) => Some((length("x"), length("y")) == (43, 43)),
        (Some("EC"), Some("P-384")) => Some((length("x"), length("y")) == (64, 64)),
        (Some("EC"), Some("P-521")) => Some((length("x"), length("y")) == (88, 88)),
        (Some("OKP"), Some("Ed25519")) => Some(length("x") == 43),
        _ => None,
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.northpay.example/tenant";

    fn found(document: &Value) -> Result<String, Login> {
        discovered(ISSUER, document.to_string().as_bytes()).map(|uri| uri.to_string())
    }

    #[track_caller]
    fn wrong(login: &Login, part: &str) {
        assert!(matches!(login, Login::Wrong(why) if why.contains(part)), "{login:?} doesn't say {part}");
    }

    #[test]
    fn an_issuer_says_that_it_is_itself_and_where_its_keys_are() {
        let sound = json!({"issuer": ISSUER, "jwks_uri": "https://keys.northpay.example/jwks"});
        assert_eq!(found(&sound).unwrap(), "https://keys.northpay.example/jwks");
        for (field, value, part) in [
            ("issuer", json!(format!("{ISSUER}/")), "another issuer"),
            ("issuer", json!("https://evil.example"), "another issuer"),
            ("issuer", Value::Null, "another issuer"),
            ("jwks_uri", json!("http://keys.northpay.example"), "no https://"),
            ("jwks_uri", json!("file:///etc/passwd"), "no https://"),
            ("jwks_uri", json!("/jwks"), "no https://"),
            ("jwks_uri", Value::Null, "no https://"),
        ] {
            let mut document = sound.clone();
            document[field] = value;
            let login = found(&document).unwrap_err();
            wrong(&login, part);
            assert!(!format!("{login:?}").contains("evil"), "nothing that it says gets into a report");
        }
        wrong(&found(&json!([])).unwrap_err(), "no JSON object");
        assert!(discovered(ISSUER, b"<html>").is_err());
    }

    #[test]
    fn its_document_is_below_it() {
        for issuer in [ISSUER.to_owned(), format!("{ISSUER}/")] {
            let uri = discovery(&issuer).unwrap();
            assert_eq!(uri.to_string(), format!("{ISSUER}/.well-known/openid-configuration"));
        }
        assert!(discovery("https://").is_none());
    }

    fn key(kind: &str, curve: &str, lengths: [usize; 2]) -> Value {
        let [first, second] = lengths.map(|length| "A".repeat(length));
        if kind == "RSA" {
            return json!({"kty": kind, "n": first, "e": second});
        }
        json!({"kty": kind, "crv": curve, "x": first, "y": second})
    }

    #[test]
    fn keys_verify_signatures_or_are_no_keys() {
        let of = |all: &[Value]| keys(json!({ "keys": all }).to_string().as_bytes());
        let rsa = key("RSA", "", [342, 4]);
        for good in [rsa.clone(), key("EC", "P-256", [43, 43]), key("OKP", "Ed25519", [43, 0])] {
            assert_eq!(of(&[good]), Login::Sound);
        }
        let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "A"});
        assert_eq!(of(&[rsa.clone(), unknown.clone()]), Login::Sound);
        for bad in [
            key("RSA", "", [170, 4]),
            key("RSA", "", [342, 0]),
            key("EC", "P-256", [43, 42]),
            key("EC", "P-384", [43, 43]),
        ] {
            wrong(&of(&[rsa.clone(), bad]), "isn't well-formed");
        }
        let mut odd = rsa.clone();
        odd["n"] = json!("+".repeat(342));
        wrong(&of(&[odd]), "isn't well-formed");
        for (part, value) in [("d", "AAAA"), ("k", "AAAA"), ("kty", "oct")] {
            let mut secret = rsa.clone();
            secret[part] = json!(value);
            wrong(&of(&[secret]), "has to be secret");
        }
        let mut encrypts = rsa.clone();
        encrypts["use"] = json!("enc");
        for none in [&[][..], &[unknown], &[encrypts]] {
            wrong(&of(none), "no key that verifies");
        }
        wrong(&of(&vec![rsa; MOST_KEYS + 1]), "more keys");
        wrong(&keys(b"{}"), "no list");
        wrong(&keys(b"null"), "no JSON object");
    }
}
