//! What is asked of the endpoint, and for whom. Pure: whoever asks isn't trusted, and what isn't of a listed
//! form is refused before anything is looked up.

use http::{HeaderMap, Method, header};

use super::answer::Refusal;
use crate::api::stage::Stage;
use crate::pki::Token;

/// The most characters that a name has.
const LONGEST_NAME: usize = 63;

/// What may be asked, as people are told: by which method, and at which path.
pub const CALLS: [(&str, &str); 3] = [
    ("POST", "/v1/enrol/<namespace>/<grant>/<stage>/<workload>"),
    ("POST", "/v1/renew"),
    ("GET", "/v1/trust"),
];

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ask {
    /// A first certificate, by a token or by a certificate of the partner's own.
    Enrol(Target),
    /// Another certificate, by the one before.
    Renew,
    /// The anchors of the stage, by a certificate.
    Trust,
}

/// For whom a certificate is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The namespace of the grant.
    pub namespace: String,
    /// The grant.
    pub grant: String,
    /// The stage.
    pub stage: Stage,
    /// The workload, as the grant names it.
    pub workload: String,
}

impl Ask {
    /// What is asked by this method at this path: `POST /v1/enrol/<namespace>/<grant>/<stage>/<workload>`,
    /// `POST /v1/renew`, `GET /v1/trust`.
    pub fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = path.split('/').collect();
        let (wanted, ask) = match parts.as_slice() {
            ["", "v1", "renew"] => (Method::POST, Self::Renew),
            ["", "v1", "trust"] => (Method::GET, Self::Trust),
            ["", "v1", "enrol", namespace, grant, stage, workload] => {
                let stage = Stage::ALL.into_iter().find(|one| one.lower() == *stage);
                let name = |text: &&str| is_name(text).then(|| (*text).to_owned());
                let target = || {
                    let (namespace, grant, workload) = (name(namespace)?, name(grant)?, name(workload)?);
                    Some(Target { namespace, grant, stage: stage?, workload })
                };
                (Method::POST, Self::Enrol(target().ok_or(Refusal::NoSuchPath)?))
            }
            _ => return Err(Refusal::NoSuchPath),
        };
        if *method == wanted { Ok(ask) } else { Err(Refusal::OtherMethod) }
    }
}

/// What the SPIFFE ID of a workload says of whose it is. It is only where to look: what is found has to have just
/// this ID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// The namespace of the grant.
    pub namespace: String,
    /// The grant.
    pub grant: String,
    /// The workload.
    pub workload: String,
}

impl Named {
    /// What an ID of this trust domain says.
    pub fn of(id: &str, trust_domain: &str) -> Option<Self> {
        let path = id.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?;
        let parts: Vec<&str> = path.split('/').collect();
        let ["", "partner", _, "grant", namespace, grant, _, _, workload] = parts.as_slice() else {
            return None;
        };
        let [namespace, grant, workload] = [namespace, grant, workload].map(|part| (*part).to_owned());
        Some(Self { namespace, grant, workload })
    }
}

/// Whether this is a name as Kubernetes labels have them (RFC 1123).
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    text.len() <= LONGEST_NAME
        && text.bytes().all(|byte| is_letter(byte) || byte == b'-')
        && text.bytes().next().is_some_and(is_letter)
        && text.bytes().last().is_some_and(is_letter)
}

/// The token that is shown in the one header that may hold one; `None`: nothing that can be a token.
pub fn token(headers: &HeaderMap) -> Option<Token> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, text) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| Token::read(text.trim()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> Result<Ask, Refusal> {
        Ask::of(&Method::POST, path)
    }

    #[test]
    fn a_path_says_for_whom() {
        let target = Target {
            namespace: "risk-data".to_owned(),
            grant: "northpay-fraud".to_owned(),
            stage: Stage::Production,
            workload: "scorer".to_owned(),
        };
        assert_eq!(asked("/v1/enrol/risk-data/northpay-fraud/production/scorer"), Ok(Ask::Enrol(target)));
    }

    #[test]
    fn people_are_told_of_every_call_and_of_no_other() {
        let place = |ask: &Ask| match ask {
            Ask::Enrol(_) => 0,
            Ask::Renew => 1,
            Ask::Trust => 2,
        };
        for (number, (method, path)) in CALLS.iter().enumerate() {
            let filled = path.replace("<stage>", "sandbox").replace(['<', '>'], "");
            let [method, other] = [*method, "DELETE"].map(|method| method.parse::<Method>().unwrap());
            assert_eq!(place(&Ask::of(&method, &filled).unwrap()), number, "{path}");
            assert_eq!(Ask::of(&other, &filled), Err(Refusal::OtherMethod), "{path}");
            assert!(Refusal::NoSuchPath.to_string().contains(&format!("{method} {path}")), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_found_nowhere() {
        for bad in [
            "",
            "/",
            "/v1/enrol",
            "/v1/enrol/risk-data/northpay-fraud/production",
            "/v1/enrol/risk-data/northpay-fraud/production/scorer/",
            "/v1/enrol/risk-data/northpay-fraud/Production/scorer",
            "/v1/enrol/risk-data/../production/scorer",
            "/v1/enrol/risk-data/a%2fb/production/scorer",
            "/v1/enrol/-a/b/production/scorer",
            "/v2/enrol/a/b/production/scorer",
            "//v1/enrol/a/b/production/scorer",
            &format!("/v1/enrol/a/{}/production/scorer", "b".repeat(64)),
        ] {
            assert_eq!(asked(bad), Err(Refusal::NoSuchPath), "{bad}");
        }
        let other = Ask::of(&Method::GET, "/v1/enrol/a/b/production/scorer");
        assert_eq!(other, Err(Refusal::OtherMethod));
        assert_eq!(asked("/v1/renew"), Ok(Ask::Renew));
        assert_eq!(asked("/v1/trust"), Err(Refusal::OtherMethod));
        assert_eq!(Ask::of(&Method::GET, "/v1/trust"), Ok(Ask::Trust));
    }

    #[test]
    fn an_identity_says_where_to_look() {
        let opening = crate::signer::testing::opening();
        let id = opening.identity("comity.local", "scorer").unwrap();
        let named = Named::of(id.as_str(), "comity.local").unwrap();
        assert_eq!((named.namespace.as_str(), named.grant.as_str()), ("risk-data", "northpay-fraud"));
        assert_eq!(named.workload, "scorer");
        assert_eq!(Named::of(id.as_str(), "comity.loca"), None);
        assert_eq!(Named::of("spiffe://comity.local/scorer", "comity.local"), None);
    }

    #[test]
    fn a_token_is_taken_from_one_header_alone() {
        let one = Token::make().unwrap();
        let headers = |values: &[String]| {
            let pairs = values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let good = format!("Bearer {}", one.reveal());
        assert_eq!(token(&headers(std::slice::from_ref(&good))).unwrap().digest(), one.digest());
        assert!(token(&headers(&[good.clone().replace("Bearer", "bearer")])).is_some());
        for bad in [
            vec![],
            vec![good.clone(), good.clone()],
            vec![one.reveal().to_owned()],
            vec![good.replace(' ', "")],
        ] {
            assert!(token(&headers(&bad)).is_none(), "{} headers", bad.len());
        }
    }
}
