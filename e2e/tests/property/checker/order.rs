//! P1, P4 and P5 of every write to a stage's namespace, in the order in which they came.

use comity::api::name;
use serde_json::Value;

use super::super::history::{Kind, text};
use super::super::step::Process;
use super::reading::Reading;
use super::{Checker, GRACE};

const OPENING: &str = "P5 the order of opening";
const CLOSING: &str = "P5 the order of closing";

impl Checker {
    /// Whether an object that stands from now on comes in its order.
    pub fn in_order_of_opening(&mut self, kind: Kind, object: &Value, before: Option<&Value>) {
        let called = text(&object["metadata"]["name"]).to_owned();
        let place = object["metadata"]["namespace"].as_str().unwrap_or(&called).to_owned();
        let is_place = object["metadata"]["labels"][name::LABEL_GRANT_UID].is_string()
            && place.starts_with(name::NAMESPACE_PREFIX);
        if !is_place {
            return;
        }
        let reading = self.reading(&place);
        match kind {
            Kind::Namespace => self.in_order_of_gates(object, before, &reading),
            _ if before.is_some() => {}
            Kind::RoleBinding if called != name::SIGNER_BINDING => {
                let ready = reading.is_closed_off() && reading.is_gate_open && reading.has_certificates;
                self.out_of_order(OPENING, &place, !ready, || {
                    format!("{called} in {place} comes too early: {reading:?}")
                });
            }
            Kind::NetworkPolicy if called != name::DEFAULT_DENY => {
                self.out_of_order(OPENING, &place, !reading.denies_by_default, || {
                    format!("{called} in {place} comes before the default deny")
                });
            }
            _ => {}
        }
    }

    fn in_order_of_gates(&mut self, namespace: &Value, before: Option<&Value>, reading: &Reading) {
        let place = text(&namespace["metadata"]["name"]).to_owned();
        if before.is_none() {
            return self.is_recorded(namespace, &place);
        }
        let mut after = Reading::default();
        after.of_namespace(namespace);
        let opens = after.is_gate_open && !reading.is_gate_open;
        let ready = reading.is_closed_off() && reading.is_quota_in_force && reading.has_certificates;
        self.out_of_order(OPENING, &place, opens && !ready, || {
            format!("the gate of {place} opens too early: {reading:?}")
        });
        let shuts = reading.is_gate_open && !after.is_gate_open;
        self.out_of_order(CLOSING, &place, shuts && reading.is_bound, || {
            format!("{place} is shut while people are bound there")
        });
        if reading.is_closing && !after.is_closing {
            self.broken(CLOSING, format!("{place} isn't closing any more"));
        }
        let goes = after.is_going && !reading.is_going;
        let early = reading.is_usable() || !reading.is_closing;
        self.out_of_order(CLOSING, &place, goes && early, || {
            format!("{place} goes while it is open: {reading:?}")
        });
    }

    /// A namespace is made only once its end is recorded, and that is to come.
    fn is_recorded(&mut self, namespace: &Value, place: &str) {
        const PROMISE: &str = "P1 nothing without a recorded end";
        let uid = text(&namespace["metadata"]["labels"][name::LABEL_GRANT_UID]).to_owned();
        let Some(book) = self.books.get(&uid) else {
            return self.broken(PROMISE, format!("{place} is made, and nothing is recorded of its grant"));
        };
        let (ended, opening) = (book.has_ended(), book.of_namespace(place).cloned());
        if ended {
            self.broken("P6 ended is final", format!("{place} is made after the end"));
        }
        if opening.is_none() {
            self.broken(PROMISE, format!("{place} is made, and no record says until when"));
        }
    }

    /// Whether an object that is gone goes in its order.
    pub fn in_order_of_closing(&mut self, kind: Kind, object: &Value) {
        let place = text(&object["metadata"]["namespace"]).to_owned();
        let called = text(&object["metadata"]["name"]).to_owned();
        let closes_off = match kind {
            Kind::NetworkPolicy => called == name::DEFAULT_DENY,
            Kind::ResourceQuota => called == name::QUOTA,
            Kind::StagePolicy => called == name::STAGE_POLICY,
            _ => false,
        };
        if closes_off && place.starts_with(name::NAMESPACE_PREFIX) {
            let early = !self.reading(&place).is_going;
            self.out_of_order(CLOSING, &place, early, || {
                format!("{called} goes before its namespace {place}")
            });
        }
    }

    /// Something is out of order, unless somebody else had a hand in it just before: what they deleted
    /// Comity may have seen still, until it has looked again.
    fn out_of_order(
        &mut self,
        promise: &'static str,
        place: &str,
        is_so: bool,
        what: impl FnOnce() -> String,
    ) {
        let works = self.works.get(&Process::Run).copied();
        let excused = self
            .meddled
            .get(place)
            .is_some_and(|since| works.is_none_or(|works| self.now < works.max(*since) + GRACE));
        if is_so && !excused {
            self.broken(promise, what());
        }
    }
}
