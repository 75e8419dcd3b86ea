//! What stands of the authorities of a contract and stage in Comity's own namespace, and who signs with the keys
//! that are named there. What Secrets hold is overwritten in memory as soon as it has been looked at.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use zeroize::Zeroize as _;

use crate::api::name;
use crate::pki::{Anchor, Authority, PkiError, Signer};
use crate::signer::build::{CERTIFICATE_KEY, PRIVATE_KEY};
use crate::signer::ca::{Brought, Chest, Claim, Entry, Key, Keys, Slot};
use crate::signer::decide::{Doomed, doomed};
use crate::signer::error::SignError;
use crate::signer::keyring::Keyring;
use crate::signer::talk::Talk;

/// What was read.
pub(super) struct Contents {
    /// The ledger's ConfigMap.
    pub(super) marker: Option<ConfigMap>,
    /// What the Secrets hold.
    pub(super) keys: Keys,
    drawers: [Drawer; 2],
}

/// One of the two Secrets.
#[derive(Default)]
struct Drawer {
    secret: Option<Wiped>,
    signer: Option<Arc<dyn Signer>>,
}

/// A Secret that is overwritten when it isn't needed any more.
pub(super) struct Wiped(pub(super) Secret);

impl Drop for Wiped {
    fn drop(&mut self) {
        for value in self.0.data.iter_mut().flat_map(|data| data.values_mut()) {
            value.0.zeroize();
        }
    }
}

impl Wiped {
    /// Whether the platform put it there.
    fn is_brought(&self) -> bool {
        let label = self.0.metadata.labels.as_ref().and_then(|labels| labels.get(name::LABEL_AUTHORITY));
        label.map(String::as_str) == Some(name::BROUGHT)
    }

    fn part(&self, key: &str) -> &[u8] {
        let value = self.0.data.as_ref().and_then(|data| data.get(key));
        value.map(|value| value.0.as_slice()).unwrap_or_default()
    }
}

/// Reads what stands in a chest.
pub(super) async fn read(
    talk: &Talk,
    keyring: &dyn Keyring,
    system: &str,
    chest: &Chest,
) -> Result<Contents, SignError> {
    // The ledger first: it is written last, so where it is, the key must be.
    let marker: Option<ConfigMap> = talk.get(system, &chest.ledger()).await?;
    let (first, one) = open(talk, keyring, system, &chest.secret(Slot::First)).await?;
    let (second, other) = open(talk, keyring, system, &chest.secret(Slot::Second)).await?;
    Ok(Contents { marker, keys: Keys { first, second }, drawers: [one, other] })
}

/// What one of the Secrets holds. What can't be read of one is none of the other's business.
async fn open(
    talk: &Talk,
    keyring: &dyn Keyring,
    system: &str,
    name: &str,
) -> Result<(Key, Drawer), SignError> {
    let secret = match talk.get::<Secret>(system, name).await {
        Ok(None) => return Ok((Key::Absent, Drawer::default())),
        Ok(Some(secret)) => Wiped(secret),
        Err(SignError::Unreadable { .. }) => {
            return Ok((Key::Unusable(PkiError::NotAKey), Drawer::default()));
        }
        Err(error) => return Err(error),
    };
    let held = held(keyring, secret.part(CERTIFICATE_KEY), secret.part(PRIVATE_KEY)).await;
    let (held, signer) = match held {
        Ok((anchor, signer)) => (Ok(anchor), Some(signer)),
        // Whoever keeps it may answer later: nothing is known of the key.
        Err(error @ PkiError::Keeper(_)) => return Err(error.into()),
        Err(error) => (Err(error), None),
    };
    let key = if secret.is_brought() {
        let claim = claim(talk, system, held.as_ref().ok()).await?;
        Key::Brought(Box::new(Brought { held, claim }))
    } else {
        held.map_or_else(Key::Unusable, Key::Held)
    };
    Ok((key, Drawer { secret: Some(secret), signer }))
}

/// For whom a key is used that was brought, as far as anybody said.
async fn claim(talk: &Talk, system: &str, anchor: Option<&Anchor>) -> Result<Option<Claim>, SignError> {
    let Some(anchor) = anchor else { return Ok(None) };
    match talk.get::<ConfigMap>(system, &Claim::called(anchor)).await {
        Ok(found) => Ok(found.as_ref().map(Claim::read)),
        // Somebody said something: it is theirs.
        Err(SignError::Unreadable { .. }) => Ok(Some(Claim { chest: None, number: 0 })),
        Err(error) => Err(error),
    }
}

/// An anchor and who signs for it, if they belong together.
pub(super) async fn held(
    keyring: &dyn Keyring,
    certificate: &[u8],
    stored: &[u8],
) -> Result<(Anchor, Arc<dyn Signer>), PkiError> {
    let anchor = Anchor::parse(certificate)?;
    let signer = keyring.find(stored).await?;
    Authority::of(anchor.clone(), Arc::clone(&signer))?;
    Ok((anchor, signer))
}

impl Contents {
    /// The authority that was written down, with who signs for it: what was published is gone by.
    pub(super) fn authority(&self, entry: &Entry) -> Option<Result<Authority, PkiError>> {
        let signer = self.drawer(entry.slot).signer.clone()?;
        Some(Authority::of(entry.certificate.clone(), signer))
    }

    /// Destroys the key in a slot; the Secret that is to go with it.
    pub(super) async fn destroy(
        &self,
        slot: Slot,
        keyring: &dyn Keyring,
    ) -> Result<Option<Doomed>, SignError> {
        let Some(secret) = &self.drawer(slot).secret else { return Ok(None) };
        keyring.destroy(secret.part(PRIVATE_KEY)).await?;
        Ok(doomed(&secret.0.metadata))
    }

    const fn drawer(&self, slot: Slot) -> &Drawer {
        let [first, second] = &self.drawers;
        match slot {
            Slot::First => first,
            Slot::Second => second,
        }
    }
}
