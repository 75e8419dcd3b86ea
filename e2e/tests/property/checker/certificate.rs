//! P2: no certificate is valid past the end that was recorded when it was issued.

use jiff::Timestamp;
use serde_json::Value;
use x509_parser::pem::Pem;

use super::super::history::text;
use super::Checker;

/// A certificate that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Issued {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

const PROMISE: &str = "P2 credentials end by themselves";

impl Checker {
    /// An object that may hold certificates stands like this.
    pub fn certified(&mut self, object: &Value) {
        let place = text(&object["metadata"]["namespace"]).to_owned();
        if !place.starts_with(comity::api::name::NAMESPACE_PREFIX) {
            return;
        }
        for (name, value) in object["data"].as_object().into_iter().flatten() {
            let is_certificate = name.strip_suffix(".crt").is_some_and(|whose| whose != "ca");
            if is_certificate && let Some(chain) = pem(text(value)) {
                self.issued(&place, &chain);
            }
        }
    }

    fn issued(&mut self, place: &str, chain: &[u8]) {
        let Some((der, issued)) = read(chain) else {
            return self.broken(PROMISE, format!("a certificate in {place} can't be read"));
        };
        if self.issued.insert(der, issued).is_some() {
            return;
        }
        let Issued { not_before, not_after } = issued;
        let opening = self.books.values().find_map(|book| book.of_namespace(place));
        let Some(opening) = opening else {
            return self.broken(
                "P1 nothing without a recorded end",
                format!("a certificate for {place}, of which nothing is recorded"),
            );
        };
        let latest = opening.latest_end_since(not_before);
        if not_after > latest {
            let what = format!(
                "a certificate is valid until {not_after}, and {opening} had {latest} at most when it was issued"
            );
            self.broken(PROMISE, what);
        }
    }
}

/// The text of a certificate, as it stands in a ConfigMap, or in a Secret.
fn pem(value: &str) -> Option<Vec<u8>> {
    if value.starts_with("-----BEGIN") {
        return Some(value.as_bytes().to_vec());
    }
    let bytes: k8s_openapi::ByteString = serde_json::from_value(Value::from(value)).ok()?;
    Some(bytes.0)
}

/// The first certificate of a chain.
fn read(chain: &[u8]) -> Option<(Vec<u8>, Issued)> {
    let (pem, _) = Pem::read(std::io::Cursor::new(chain)).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&pem.contents).ok()?;
    let validity = certificate.validity();
    let time = |time: &x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let issued = Issued { not_before: time(&validity.not_before)?, not_after: time(&validity.not_after)? };
    Some((pem.contents.clone(), issued))
}
