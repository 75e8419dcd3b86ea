//! Acting as the partner's people do: by impersonating the role of a stage, as the access proxy will.

use std::time::Duration;

use comity::api::{grant::Role, name, stage::Stage};

use super::{
    ledger::{Ledger, unless},
    paint::Tone,
    words,
};
use crate::{
    Cluster, Result,
    attempt::{Attempt, attempts},
    cluster::identity::service_account_user,
    eventually, refused,
};

/// The person of the example, and what they are there for.
pub(super) const PERSON: &str = "ana@northpay.example";

/// Their role.
pub(super) const ROLE: Role = Role::ModelEngineer;

/// How long the API server may take to see a binding that was made.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// A stage that somebody acts in.
pub(super) struct Place {
    /// The cluster, as its administrator sees it.
    pub(super) cluster: Cluster,
    /// The stage.
    pub(super) stage: Stage,
    /// The namespaces of the stages that were opened.
    pub(super) namespaces: Vec<(Stage, String)>,
}

impl Place {
    /// The namespace of a stage that was opened, or nothing's.
    pub(super) fn namespace(&self, stage: Stage) -> &str {
        let found = self.namespaces.iter().find(|(opened, _)| *opened == stage);
        found.map_or("not-opened", |(_, namespace)| namespace)
    }

    /// What the partner's person is called in this stage.
    pub(super) fn user(&self) -> String {
        service_account_user(self.namespace(self.stage), &name::role_service_account(ROLE.kebab()))
    }

    fn attempts(&self, text: &str) -> Result<Vec<Attempt>> {
        let (here, sandbox) = (self.namespace(self.stage), self.namespace(Stage::Sandbox));
        attempts(text, &[("STAGE", here), ("SANDBOX", sandbox)])
    }

    fn shorten(&self, message: &str) -> String {
        let words = self.namespaces.iter().map(|(stage, namespace)| (namespace.clone(), stage.to_string()));
        words::shorten(message, &words.collect::<Vec<_>>())
    }

    /// Tries what is let through, and what is refused, as the partner's person; says each.
    pub(super) async fn act(&self, ledger: &mut Ledger, may: &str, not: &str) -> Result<()> {
        let role = name::role_service_account(ROLE.kebab());
        let partner = self.cluster.as_service_account(self.namespace(self.stage), &role)?;
        let (may, not) = (self.attempts(may)?, self.attempts(not)?);
        let what = format!(
            "in {}, {PERSON} ({ROLE:?}) is let through with {} and refused {}",
            self.stage,
            may.len(),
            not.len()
        );
        let mut told = Vec::new();
        let acted = async {
            for attempt in &may {
                told.push(let_through(&partner, attempt).await);
            }
            for attempt in &not {
                told.push(self.is_refused(&partner, attempt).await);
            }
            let otherwise = told.iter().filter(|(as_expected, _)| !as_expected).count();
            unless(otherwise == 0, || format!("{otherwise} of {} went otherwise", told.len()))?;
            Ok(String::new())
        };
        ledger.expect(&what, acted).await;
        for (as_expected, text) in told {
            ledger.screen().remark(if as_expected { Tone::Faint } else { Tone::Bad }, &text);
        }
        Ok(())
    }

    async fn is_refused(&self, partner: &Cluster, attempt: &Attempt) -> (bool, String) {
        match refused(attempt.do_as(partner).await) {
            Ok(words) => {
                let expected = words.contains(&attempt.says);
                (expected, format!("may not  {}: {}", attempt.what, self.shorten(&words)))
            }
            Err(error) => (false, format!("may not {}, it was thought: {error}", attempt.what)),
        }
    }
}

async fn let_through(partner: &Cluster, attempt: &Attempt) -> (bool, String) {
    match eventually(&attempt.what, SEEN_WITHIN, || attempt.do_as(partner)).await {
        Ok(_) => (true, format!("may      {}", attempt.what)),
        Err(error) => (false, format!("may {}, it was thought: {error}", attempt.what)),
    }
}
