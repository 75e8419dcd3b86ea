//! Where the keys of authorities are made, kept and destroyed. Whoever wants them in a machine that never gives them
//! away (PKCS #11) or with somebody who is asked over the network (a KMS) writes one of these, and starts
//! `comity sign` with it ([`crate::app::sign_with`]): nothing else of Comity knows a key of an authority.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};

use crate::pki::{PkiError, PrivateKey, Signer};

/// What is asked of a keyring, and comes in time.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, PkiError>>;

/// Keeps the keys of authorities.
///
/// What can't be asked just now is [`PkiError::Keeper`], and tried again. Any other error says that the key can't be
/// used for good, which people are told.
pub trait Keyring: Send + Sync {
    /// Makes a key for the authority that people call so. Where Comity dies before it has stored what it is known by
    /// ([`Signer::stored`]), nobody ever asks for it: a keyring that counts its keys clears those away.
    fn make<'a>(&'a self, called: &'a str) -> Asked<'a, Arc<dyn Signer>>;

    /// The key of which this was stored.
    fn find<'a>(&'a self, stored: &'a [u8]) -> Asked<'a, Arc<dyn Signer>>;

    /// Destroys the key of which this was stored, before that is forgotten. That there is none is just as well.
    fn destroy<'a>(&'a self, stored: &'a [u8]) -> Asked<'a, ()>;
}

/// Keys are made here, and kept in Secrets in Comity's own namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct InSecrets;

impl Keyring for InSecrets {
    fn make<'a>(&'a self, _: &'a str) -> Asked<'a, Arc<dyn Signer>> {
        Box::pin(ready(PrivateKey::generate().map(|key| Arc::new(key) as Arc<dyn Signer>)))
    }

    fn find<'a>(&'a self, stored: &'a [u8]) -> Asked<'a, Arc<dyn Signer>> {
        Box::pin(ready(PrivateKey::parse(stored).map(|key| Arc::new(key) as Arc<dyn Signer>)))
    }

    /// What was stored is the key: it goes with its Secret.
    fn destroy<'a>(&'a self, _: &'a [u8]) -> Asked<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}
