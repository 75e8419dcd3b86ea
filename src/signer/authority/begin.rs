//! Beginning with what the platform brought, and saying whose a key is that was.

use k8s_openapi::api::core::v1::ConfigMap;

use super::{Authorities, Errand, lost_races_are_fine};
use crate::api::name;
use crate::signer::ca::brought::{Fit, fits_first, whose};
use crate::signer::ca::{Brought, Chest, Claim, Ledger, Maker, Need, Slot};
use crate::signer::custody::{Cause, Refusal};
use crate::signer::error::SignError;

impl Authorities {
    /// Begins with what the platform brought; why not, if so.
    pub(super) async fn begin_with(
        &self,
        errand: &Errand<'_>,
        need: Need,
        brought: &Brought,
    ) -> Result<Option<Refusal>, SignError> {
        let Errand { chest, now, .. } = *errand;
        match fits_first(brought, chest, (errand.id.as_str(), need.ttl), now) {
            Ok(Fit::Claim) => self.claim(chest, brought, 1).await?,
            Ok(Fit::Take(found)) => {
                let ledger = Ledger::first(errand.owner.clone(), need, *found, Slot::First, now);
                let kept = ledger.made_by(Maker::Platform).kept(&self.terms.system, chest);
                lost_races_are_fine(self.talk.put(&kept, None).await)?;
            }
            Err(unfit) => {
                let (chest, slot, cause) = (chest.clone(), Slot::First, Cause::Unfit(unfit));
                return Ok(Some(Refusal { chest, slot, cause, bring: None }));
            }
        }
        Ok(None)
    }

    /// Says for whom the key is used that was brought. Of two who say so one alone can; and where others have it
    /// already, whoever made it, it is theirs.
    pub(super) async fn claim(&self, chest: &Chest, brought: &Brought, number: u32) -> Result<(), SignError> {
        let Ok(anchor) = &brought.held else { return Ok(()) };
        let (system, ledgers) = (&self.terms.system, format!("{}={}", name::LABEL_AUTHORITY, name::LEDGER));
        let ledgers: Vec<ConfigMap> = self.talk.list(system, &ledgers).await?;
        let (chest, number) = whose(&ledgers, anchor).unwrap_or((chest.clone(), number));
        let claim = Claim::written(system, &chest, number, anchor);
        lost_races_are_fine(self.talk.put(&claim, None).await)
    }
}
