//! Keys that somebody else keeps: one who owns them and answers, and never gives one away. All that there is to
//! signing (the first authority, certificates, their renewal, the next authority, its taking over, the end of the
//! old one) works by asking them, although no byte of a key is anywhere else.

use std::collections::BTreeMap;
use std::sync::mpsc;

use futures::channel::oneshot;
use k8s_openapi::api::core::v1::Secret;
use zeroize::Zeroizing;

use super::tests::{SYSTEM, ledger, ordered, paths};
use super::*;
use crate::pki::{Algorithm, PkiError, PrivateKey, SecretPem, Signer, Signing};
use crate::signer::ca::{Action, Phase};
use crate::signer::keyring::Asked;
use crate::signer::stage::{Outcome, Tender};
use crate::signer::testing::{self, now, opening, terms};
use crate::testing::api::FakeApi;

/// Which keys there are, how often each one signed, and the keys themselves.
type Confession = (Vec<u32>, BTreeMap<u32, usize>, Vec<Zeroizing<String>>);

/// What the machine is asked.
enum Question {
    Make(oneshot::Sender<(u32, Vec<u8>)>),
    Sign(u32, Vec<u8>, oneshot::Sender<Option<Vec<u8>>>),
    Find(u32, oneshot::Sender<Option<Vec<u8>>>),
    Destroy(u32),
    /// Everything, for the test alone.
    Confess(oneshot::Sender<Confession>),
}

/// A machine of its own that has the keys. Whoever asks has a number, and no key.
#[derive(Clone)]
struct Machine {
    ask: mpsc::Sender<Question>,
    is_down: Arc<Mutex<bool>>,
}

impl Machine {
    fn start() -> Self {
        let (ask, asked) = mpsc::channel();
        std::thread::spawn(move || run(&asked));
        Self { ask, is_down: Arc::default() }
    }

    async fn answer<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, PkiError> {
        let down = || PkiError::Keeper("the machine is down".to_owned());
        if *self.is_down.lock().unwrap() {
            return Err(down());
        }
        let (reply, answer) = oneshot::channel();
        self.ask.send(question(reply)).map_err(|_discarded| down())?;
        answer.await.map_err(|_discarded| down())
    }
}

/// Answers, for as long as somebody may ask.
fn run(asked: &mpsc::Receiver<Question>) {
    let mut keys: BTreeMap<u32, PrivateKey> = BTreeMap::new();
    let mut signed: BTreeMap<u32, usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for question in asked {
        match question {
            Question::Make(reply) => {
                let number = u32::try_from(shown.len()).unwrap() + 1;
                let key = PrivateKey::generate().unwrap();
                shown.push(Zeroizing::new(key.pem().reveal().to_owned()));
                let public = key.public_key();
                keys.insert(number, key);
                drop(reply.send((number, public)));
            }
            Question::Sign(number, message, reply) => {
                *signed.entry(number).or_default() += 1;
                let key = keys.get(&number);
                drop(reply.send(key.map(|key| crate::pki::testing::at_once(key.sign(&message)).unwrap())));
            }
            Question::Find(number, reply) => drop(reply.send(keys.get(&number).map(PrivateKey::public_key))),
            Question::Destroy(number) => drop(keys.remove(&number)),
            Question::Confess(reply) => {
                drop(reply.send((keys.keys().copied().collect(), signed.clone(), shown.clone())));
            }
        }
    }
}

/// A key in the machine.
#[derive(Clone)]
struct Remote {
    machine: Machine,
    number: u32,
    public: Vec<u8>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "key {}", self.number)
    }
}

impl Signer for Remote {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EcdsaP256
    }

    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        Box::pin(async move {
            let answer = self.machine.answer(|reply| Question::Sign(self.number, message.to_vec(), reply));
            answer.await?.ok_or(PkiError::NotAKey)
        })
    }

    fn stored(&self) -> SecretPem {
        SecretPem::new(format!("pkcs11:object={}", self.number))
    }
}

fn number(stored: &[u8]) -> Result<u32, PkiError> {
    let text = std::str::from_utf8(stored).ok().and_then(|text| text.strip_prefix("pkcs11:object="));
    text.and_then(|number| number.parse().ok()).ok_or(PkiError::NotAKey)
}

impl Keyring for Machine {
    fn make<'a>(&'a self, _: &'a str) -> Asked<'a, Arc<dyn Signer>> {
        Box::pin(async move {
            let (number, public) = self.answer(Question::Make).await?;
            Ok(Arc::new(Remote { machine: self.clone(), number, public }) as Arc<dyn Signer>)
        })
    }

    fn find<'a>(&'a self, stored: &'a [u8]) -> Asked<'a, Arc<dyn Signer>> {
        Box::pin(async move {
            let number = number(stored)?;
            let public =
                self.answer(|reply| Question::Find(number, reply)).await?.ok_or(PkiError::NotAKey)?;
            Ok(Arc::new(Remote { machine: self.clone(), number, public }) as Arc<dyn Signer>)
        })
    }

    fn destroy<'a>(&'a self, stored: &'a [u8]) -> Asked<'a, ()> {
        Box::pin(async move {
            let asked = self.ask.send(Question::Destroy(number(stored)?));
            asked.map_err(|_discarded| PkiError::Keeper("the machine is down".to_owned()))
        })
    }
}

/// A stage that is tended with keys in a machine.
struct Scene {
    api: FakeApi,
    machine: Machine,
    tender: Tender,
}

impl Scene {
    fn new() -> Self {
        let (api, machine) = (FakeApi::default(), Machine::start());
        let tender = Tender::new(Talk::new(api.client()), terms(), Arc::new(now));
        Self { tender: tender.with_keys(Arc::new(machine.clone())), api, machine }
    }

    async fn tend(&self, now: Timestamp) -> Result<Outcome, SignError> {
        let (opening, site) = (opening(), testing::site(&opening()));
        let confirm = || async { Ok((opening.clone(), Some(site.clone()))) };
        self.tender.tend(&opening, &site, now, confirm).await
    }

    async fn order(&self, action: Action, now: Timestamp) {
        let order = ordered(&self.api, action);
        let (chest, owner) = (opening().chest(), opening().owner());
        self.tender.authorities().keep(&chest, owner, Some(&order), now).await.unwrap();
    }

    /// Which keys the machine has, and how often each one has signed. Of none is a byte anywhere else.
    async fn keys(&self) -> (Vec<u32>, BTreeMap<u32, usize>) {
        let (kept, signed, keys) = self.machine.answer(Question::Confess).await.unwrap();
        let system = format!("/api/v1/namespaces/{SYSTEM}/");
        for (path, object) in self.api.objects() {
            let text = object.to_string();
            let secret: Secret = serde_json::from_value(object).unwrap_or_default();
            let parts = secret.data.unwrap_or_default().into_values();
            let parts: Vec<String> =
                parts.map(|part| String::from_utf8_lossy(&part.0).into_owned()).collect();
            assert!(
                !path.starts_with(&system) || parts.iter().all(|part| !part.contains("PRIVATE KEY")),
                "{path}"
            );
            for line in keys.iter().flat_map(|key| key.lines()).filter(|line| !line.starts_with("-----")) {
                assert!(!text.contains(line) && parts.iter().all(|part| !part.contains(line)), "{path}");
            }
        }
        (kept, signed)
    }
}

#[tokio::test]
async fn all_that_there_is_to_signing_works_with_keys_that_nobody_else_ever_sees() {
    let scene = Scene::new();
    let outcome = scene.tend(now()).await.unwrap();
    assert_eq!(outcome.issued.len(), 2);
    assert_eq!(scene.keys().await, (vec![1], [(1, 3)].into()), "its own certificate, and two");
    let due = outcome.renew_at.unwrap();
    let again = scene.tend(due).await.unwrap();
    let renewed = again.issued.len();
    assert!(renewed >= 1, "{again:?}");
    scene.order(Action::Prepare, due).await;
    assert_eq!(scene.keys().await.0, [1, 2]);
    let ripe = due + opening().ttl + SignedDuration::from_mins(6);
    scene.order(Action::Activate { now: false }, ripe).await;
    let phases: Vec<_> = ledger(&scene.api).authorities.iter().map(|entry| entry.phase).collect();
    assert_eq!(phases, [Phase::Retiring, Phase::Active]);
    assert_eq!(scene.keys().await.0, [2], "the old key is destroyed where it was kept");
    let outcome = scene.tend(ripe).await.unwrap();
    assert!(
        outcome.issued.len() == 2 && outcome.issued.iter().all(|made| made.authority == 2),
        "{outcome:?}"
    );
    let (_, signed) = scene.keys().await;
    assert_eq!(signed, [(1, 3 + renewed), (2, 3)].into());
    let [_, second, _] = paths();
    let stored: Secret = serde_json::from_value(scene.api.get(&second).unwrap()).unwrap();
    assert_eq!(stored.data.unwrap()["tls.key"].0, b"pkcs11:object=2");
}

#[tokio::test]
async fn where_the_machine_is_down_what_was_issued_stays_and_nobody_takes_its_key_for_lost() {
    let scene = Scene::new();
    let due = scene.tend(now()).await.unwrap().renew_at.unwrap();
    scene.api.requests();
    *scene.machine.is_down.lock().unwrap() = true;
    let error = scene.tend(due).await.unwrap_err();
    assert!(error.to_string().contains("the machine is down"), "{error}");
    assert!(scene.api.writes().is_empty());
    *scene.machine.is_down.lock().unwrap() = false;
    assert!(!scene.tend(due).await.unwrap().issued.is_empty());
}

#[tokio::test]
async fn a_key_that_the_machine_does_not_know_is_no_reason_to_make_another_one() {
    let scene = Scene::new();
    scene.tend(now()).await.unwrap();
    let [first, _, _] = paths();
    scene.api.change(&first, |secret| secret["data"]["tls.key"] = "cGtjczExOm9iamVjdD03".into());
    let outcome = scene.tend(now() + SignedDuration::from_mins(1)).await.unwrap();
    assert_eq!(outcome.refused.unwrap().word(), "AuthorityUnusable");
    assert_eq!(scene.keys().await.0, [1]);
}

#[tokio::test]
async fn who_is_slower_in_making_the_first_one_leaves_no_key_behind() {
    let scene = Scene::new();
    scene.api.fail(&format!("POST /api/v1/namespaces/{SYSTEM}/secrets"), 409, 1);
    scene.tend(now()).await.unwrap();
    assert_eq!(scene.keys().await.0, [2]);
}
