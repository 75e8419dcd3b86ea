//! A grant whose sandbox is open, and what it stands on: where many a story begins.

use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::Result;

use super::access::usable;
use super::story::{Story, Wish};

/// A grant whose sandbox is open.
pub struct Live {
    /// What it stands on.
    pub story: Story,
    /// What was asked for.
    pub wish: Wish,
    /// What was stored.
    pub grant: PartnerGrant,
    /// The sandbox, as the status had it first.
    pub opened: OpeningStatus,
}

impl Live {
    /// Asks for a sandbox, and awaits that it can be used.
    pub async fn begin() -> Result<Self> {
        let story = Story::begin().await?;
        let wish = Wish::up_to(Stage::Sandbox);
        let grant = story.ask(&wish).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        usable(&story, &opened.namespace.0).await?;
        Ok(Self { story, wish, grant, opened })
    }
}
