//! What `fuzz/` tries for as long as anybody likes, tried for a moment by the toolchain that everybody has: any
//! bytes, and what is right with bytes changed, cut, repeated and put around it.
#![expect(clippy::expect_used, reason = "what is right can be made")]

#[path = "../fuzz/read.rs"]
mod read;

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _};

/// One of each of what is read, as it should be.
fn right() -> Vec<Vec<u8>> {
    let pair = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&pair).expect("a request");
    let certificate = params.self_signed(&pair).expect("a certificate");
    let asked = serde_json::json!({
        "metadata": {"name": "asked", "namespace": "comity-x-sandbox-00000000"},
        "spec": {
            "signerName": "comity.dev/workload", "podName": "p", "podUID": "u", "nodeName": "n", "nodeUID": "u",
            "serviceAccountName": "workload-scorer", "serviceAccountUID": "u", "maxExpirationSeconds": 86400,
            "stubPKCS10Request": "MAA=", "proofOfPossession": "AA==", "pkixPublicKey": "MAA=",
            "unverifiedUserAnnotations": {"comity.dev/who": "me"},
        },
    });
    vec![
        request.der().to_vec(),
        request.pem().expect("a request in PEM").into_bytes(),
        pair.subject_public_key_info(),
        certificate.pem().into_bytes(),
        certificate.der().to_vec(),
        pair.serialize_pem().into_bytes(),
        asked.to_string().into_bytes(),
    ]
}

fn all(bytes: &[u8]) {
    read::pem(bytes);
    read::pkcs10(bytes);
    read::annotations(bytes);
}

proptest! {
    #[test]
    fn nothing_makes_it_stumble(
        noise in prop::collection::vec(any::<u8>(), 0..600), (at, byte) in (any::<usize>(), any::<u8>()),
        cut in any::<usize>(), times in 2_usize..4,
    ) {
        all(&noise);
        for right in right() {
            let length = right.len();
            let mut changed = right.clone();
            changed[at % length] = byte;
            all(&changed);
            changed.truncate(cut % length);
            all(&changed);
            all(&right.repeat(times));
            all(&[right.as_slice(), &noise].concat());
            all(&[noise.as_slice(), &right].concat());
            let (before, after) = right.split_at(at % length);
            all(&[before, &noise, after].concat());
        }
    }
}

#[test]
fn what_is_endless_is_not_read() {
    for right in right() {
        all(&right.repeat(4_000));
    }
    // Lengths that promise more than there is, nested as deep as there is room.
    all(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff].repeat(2_000));
    all(&[0x30, 0x80].repeat(5_000));
    all("{\"a\":".repeat(20_000).as_bytes());
}
