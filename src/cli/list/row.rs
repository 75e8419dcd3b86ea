//! Grants as they are listed. Pure.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::condition::{ConditionType, Reason};
use crate::api::grant::OpeningState;
use crate::api::{PartnerGrant, Stage};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::cli::table::Table;
use crate::cluster::readable::Readable;

/// Grants.
#[derive(Debug, Serialize)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    /// How many aren't listed because they have ended.
    #[serde(rename = "ended")]
    pub(super) hidden: usize,
    #[serde(skip)]
    pub(super) now: Timestamp,
}

/// A grant.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) partner: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) contract: String,
    /// How far it may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wanted: Option<Stage>,
    /// What is open.
    pub(super) open: Vec<Stage>,
    /// When the last of that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Timestamp>,
    /// How it stands: the reason of the condition `Ready`.
    pub(super) state: String,
    /// The stages for which whoever was asked about is waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<Stage>,
    /// When what is open closes unless whoever was asked about confirms before that it is still wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) review_lapses: Option<Timestamp>,
    /// Why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<String>,
    /// Whether people are asked.
    #[serde(skip)]
    pending: bool,
    /// Whether anything was opened that isn't closed.
    #[serde(skip)]
    live: bool,
}

impl List {
    /// The list of some grants, what ends soonest first; what can't be read before all of them.
    pub(super) fn of(grants: &[Readable<PartnerGrant>], now: Timestamp) -> Self {
        let mut rows: Vec<Row> = grants.iter().map(Row::of).collect();
        rows.sort_by(|one, other| one.order().cmp(&other.order()));
        Self { rows, hidden: 0, now }
    }

    /// Only what ends within a time, and what hasn't ended unless that is asked for. What can't be read
    /// always is listed: nobody knows when it ends.
    pub(super) fn narrowed(mut self, within: Option<SignedDuration>, ended: bool) -> Self {
        let limit = within.map(|within| self.now.checked_add(within).unwrap_or(Timestamp::MAX));
        let is_soon = |row: &Row| limit.is_none_or(|limit| row.closes().is_some_and(|end| end <= limit));
        self.rows.retain(|row| row.unreadable.is_some() || is_soon(row));
        let before = self.rows.len();
        self.rows.retain(|row| ended || !row.has_ended());
        self.hidden = before - self.rows.len();
        self
    }

    /// For people.
    pub(super) fn page(&self, watch: &Watch, with_namespace: bool) -> Page {
        let mut headings = vec!["GRANT", "PARTNER", "OPEN", "ENDS", "STATE"];
        if with_namespace {
            headings.insert(0, "NAMESPACE");
        }
        let is_asked = self.rows.iter().any(Row::waits);
        if is_asked {
            headings.insert(headings.len() - 1, "WAITS FOR");
        }
        let mut table = Table::new(&headings);
        for row in &self.rows {
            let mut cells = row.cells(watch);
            if with_namespace {
                cells.insert(0, row.namespace.clone());
            }
            if is_asked {
                cells.insert(cells.len() - 1, row.waits_for(watch));
            }
            table.row(row.style(), &cells);
        }
        let mut page = Page::default();
        table.tell(&mut page);
        if self.rows.is_empty() {
            page.styled(Style::Faint, "no grant is like that");
        }
        if self.hidden > 0 {
            page.styled(Style::Faint, format!("{} more ended: --ended lists them", self.hidden));
        }
        page
    }
}

impl Row {
    fn of(grant: &Readable<PartnerGrant>) -> Self {
        let known = Self {
            namespace: grant.namespace().unwrap_or_default(),
            name: grant.name_any(),
            ..Self::default()
        };
        match &grant.0 {
            Ok(grant) => Self::readable(grant, known),
            Err(unreadable) => Self { unreadable: Some(unreadable.error.clone()), ..known },
        }
    }

    fn readable(grant: &PartnerGrant, known: Self) -> Self {
        let status = grant.status.clone().unwrap_or_default();
        let condition = |wanted: ConditionType| {
            status.conditions.iter().find(|condition| condition.type_ == wanted.as_str())
        };
        let pending = condition(ConditionType::Approved)
            .is_some_and(|approved| approved.reason == Reason::ConsentPending.to_string());
        let over = |state: OpeningState| matches!(state, OpeningState::Closing | OpeningState::Closed);
        let state = condition(ConditionType::Ready).map(|ready| ready.reason.clone());
        Self {
            partner: grant.spec.partner_ref.name.0.clone(),
            contract: grant.spec.contract_ref.name.0.clone(),
            wanted: Some(grant.spec.stage),
            open: status.open_stages.clone(),
            ends: status.expires_at.as_ref().map(|end| end.0).filter(|_| !status.open_stages.is_empty()),
            state: state.unwrap_or_else(|| "Unseen".to_owned()),
            pending,
            live: status.openings.iter().any(|opening| !over(opening.state)),
            ..known
        }
    }

    /// What can't be read comes first, then what ends soonest, then what isn't open.
    fn order(&self) -> (bool, bool, Option<Timestamp>, &str, &str) {
        (self.unreadable.is_none(), self.ends.is_none(), self.ends, &self.namespace, &self.name)
    }

    fn has_ended(&self) -> bool {
        self.state == Reason::Ended.to_string()
    }

    /// Whether people are asked.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Whether anything was opened that isn't closed.
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// When the first of what is open closes by what is known here.
    fn closes(&self) -> Option<Timestamp> {
        self.ends.into_iter().chain(self.review_lapses).min()
    }

    /// Whether whoever was asked about is waited for.
    pub(super) const fn waits(&self) -> bool {
        !self.waiting.is_empty() || self.review_lapses.is_some()
    }

    /// What for.
    fn waits_for(&self, watch: &Watch) -> String {
        let review = self.review_lapses.map(|lapse| format!("attest before {}", watch.tell(lapse)));
        let asked = Some(stages(&self.waiting)).filter(|_| !self.waiting.is_empty() || review.is_none());
        asked.into_iter().chain(review).collect::<Vec<_>>().join("; ")
    }

    /// The same, closing then unless somebody confirms before that it is still wanted.
    pub(super) fn reviewed_by(self, review_lapses: Option<Timestamp>) -> Self {
        Self { review_lapses, ..self }
    }

    /// The same, waiting for somebody to agree to these stages.
    pub(super) fn asked_for(self, waiting: Vec<Stage>) -> Self {
        Self { waiting, ..self }
    }

    fn style(&self) -> Style {
        let is = |reason: Reason| self.state == reason.to_string();
        match () {
            () if self.unreadable.is_some() => Style::Bad,
            () if self.waits() => Style::Warn,
            () if is(Reason::Ended) => Style::Faint,
            () if is(Reason::Open) => Style::Good,
            () => Style::Plain,
        }
    }

    fn cells(&self, watch: &Watch) -> Vec<String> {
        let ends = self.ends.map_or_else(|| "-".to_owned(), |end| watch.tell(end));
        let state = match &self.unreadable {
            Some(why) => format!("can't be read: {why}"),
            None if self.pending && self.state != Reason::ConsentPending.to_string() => {
                format!("{}, waits for people", self.state)
            }
            None => self.state.clone(),
        };
        vec![self.name.clone(), self.partner.clone(), stages(&self.open), ends, state]
    }
}

fn stages(stages: &[Stage]) -> String {
    if stages.is_empty() {
        return "-".to_owned();
    }
    stages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
