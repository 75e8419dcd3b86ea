//! `comity status`: a grant as a tree, for people. Pure.

use super::review::who_confirms;
use super::view::{ApprovalView, Checked, GrantView, OpeningView, StageView, WaitingView};
use crate::api::condition::Reason;
use crate::api::grant::OpeningState;
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::policy::consent::Missing;

/// One branch: its name, what is said of it, and what hangs on it.
struct Branch {
    name: String,
    said: (Style, String),
    leaves: Vec<(Style, String)>,
}

impl Branch {
    fn new(name: impl Into<String>, style: Style, said: impl Into<String>) -> Self {
        Self { name: name.into(), said: (style, said.into()), leaves: Vec::new() }
    }
}

/// The tree; `program` is what this program is called by.
pub(in crate::cli) fn tree(view: &GrantView, watch: &Watch, program: &str) -> Page {
    let mut page = Page::default();
    page.styled(Style::Strong, format!("{} in {}", view.name, view.namespace));
    let (style, standing) = standing(view);
    page.styled(style, standing);
    let branches = branches(view, watch, program);
    let last = branches.len().saturating_sub(1);
    for (place, Branch { name, said: (style, said), leaves }) in branches.into_iter().enumerate() {
        let (fork, beside) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        page.styled(Style::Faint, fork).then(Style::Plain, format!("{name:<11}")).then(style, said);
        let end = leaves.len().saturating_sub(1);
        for (place, (style, leaf)) in leaves.into_iter().enumerate() {
            let fork = if place == end { "└─ " } else { "├─ " };
            page.styled(Style::Faint, format!("{beside}{:11}{fork}", "")).then(style, leaf);
        }
    }
    page
}

/// How it stands as a whole.
fn standing(view: &GrantView) -> (Style, String) {
    if let Some(broken) = &view.journal.broken {
        return (Style::Bad, format!("its journal can't be trusted: {broken}"));
    }
    let Some(ready) = &view.ready else {
        return (Style::Warn, "Comity has said nothing of it yet: is comity run running?".to_owned());
    };
    let is = |reason: Reason| ready.reason == reason.to_string();
    let style = match ready.status.as_str() {
        "True" if is(Reason::Open) => Style::Good,
        "True" if is(Reason::Ended) => Style::Faint,
        "True" => Style::Warn,
        _ => Style::Bad,
    };
    (style, ready.message.clone())
}

fn branches(view: &GrantView, watch: &Watch, program: &str) -> Vec<Branch> {
    let mut branches = vec![
        Branch::new("partner", Style::Plain, format!("{}, for {}", view.partner, view.purpose)),
        Branch::new("contract", Style::Plain, view.contract.as_str()),
        revision(view),
    ];
    if let Some(quarantined) = &view.quarantined {
        let said = format!("by {}, {}", quarantined.by, watch.tell(quarantined.since));
        branches.push(Branch::new("quarantined", Style::Bad, said));
    }
    branches.extend(view.stages.iter().flat_map(|stage| stage_branches(view, stage, watch, program)));
    if !view.unread.is_empty() {
        let said = format!("you may not read {}", view.unread.join(", "));
        branches.push(Branch::new("not seen", Style::Warn, said));
    }
    branches.extend(view.unreadable.iter().map(|object| {
        Branch::new("unreadable", Style::Bad, format!("{object}; it counts as if it weren't there"))
    }));
    branches
}

/// The digest of what would be opened next, and whether it is that of what was read.
fn revision(view: &GrantView) -> Branch {
    let Some(digest) = &view.digest else {
        return Branch::new("revision", Style::Warn, "none: nothing is agreed that could be opened");
    };
    let mut branch = Branch::new("revision", Style::Plain, digest.as_str());
    match view.digest_checked {
        Checked::Same => {}
        Checked::Unread => {
            let said =
                "as Comity says; you may not read all that it is made of, so it wasn't worked out here";
            branch.leaves.push((Style::Faint, said.to_owned()));
        }
        Checked::Differs | Checked::NotAgreed => {
            let said = "as Comity says; what stands now gives another one: Comity may not have seen the latest change";
            branch.leaves.push((Style::Warn, said.to_owned()));
        }
    }
    branch
}

fn stage_branches(view: &GrantView, stage: &StageView, watch: &Watch, program: &str) -> Vec<Branch> {
    let name = stage.stage.to_string();
    let waiting = view.waiting.iter().filter(|waiting| waiting.stage == stage.stage);
    let mut branches: Vec<Branch> =
        stage.openings.iter().map(|opening| opened(view, &name, opening, watch, program)).collect();
    branches.extend(waiting.map(|waiting| asked(view, waiting, watch, program)));
    if branches.is_empty() {
        let (style, said) = if stage.wanted {
            (Style::Plain, "not opened".to_owned())
        } else {
            (Style::Faint, format!("not asked for: spec.stage is {}", view.wanted))
        };
        branches.push(Branch::new(name, style, said));
    }
    branches
}

fn opened(view: &GrantView, name: &str, opening: &OpeningView, watch: &Watch, program: &str) -> Branch {
    let end = watch.tell(opening.expires_at);
    let why = opening.closed_for.map_or_else(String::new, |reason| format!(" ({reason:?})"));
    let (style, said) = match opening.state {
        OpeningState::Open => (Style::Good, format!("open until {end}")),
        OpeningState::Opening => (Style::Warn, format!("being opened; ends {end}")),
        OpeningState::Held => (Style::Warn, format!("closed for now; its end stands: {end}")),
        OpeningState::Closing => (Style::Bad, format!("closed{why}; being cleared")),
        OpeningState::Closed => (Style::Faint, format!("closed{why}; its recorded end is {end}")),
    };
    let mut branch = Branch::new(name, style, said);
    if !matches!(opening.state, OpeningState::Closed | OpeningState::Closing) {
        branch.leaves.push((Style::Faint, format!("in {}", opening.namespace)));
    }
    if view.digest.as_ref().is_some_and(|digest| *digest != opening.digest) {
        branch.leaves.push((Style::Faint, format!("of another revision: {}", opening.digest)));
    }
    branch.leaves.extend(reviewed(view, opening, watch, program));
    branch
}

/// Until when somebody has to confirm that it is still wanted, and who may.
fn reviewed(view: &GrantView, opening: &OpeningView, watch: &Watch, program: &str) -> Vec<(Style, String)> {
    let Some(review) = &opening.review else { return Vec::new() };
    let style = if review.is_soon { Style::Warn } else { Style::Faint };
    let lapse = watch.tell(review.lapses_at);
    let mut leaves = vec![
        (style, format!("closes {lapse} unless somebody confirms before that it is still wanted")),
        (Style::Plain, who_confirms(&view.namespace, &view.name, program)),
    ];
    leaves.extend(review.you_may_not.iter().map(|why| (Style::Faint, format!("not by you: {why}"))));
    leaves
}

/// A request that waits for people: who agreed, what is missing, and who can give it.
fn asked(view: &GrantView, waiting: &WaitingView, watch: &Watch, program: &str) -> Branch {
    let said = format!("waits for people, since {}", watch.tell(waiting.since));
    let mut branch = Branch::new(waiting.stage.to_string(), Style::Warn, said);
    branch.leaves.extend(waiting.approvals.iter().map(|approval| (Style::Good, agreed(approval, watch))));
    branch.leaves.push((Style::Warn, missing(waiting)));
    branch.leaves.push((Style::Plain, who_can(view, waiting, program)));
    if let Some(why) = &waiting.you_may_not {
        branch.leaves.push((Style::Faint, format!("not by you: {why}")));
    }
    branch
}

/// Who agreed, in words.
pub(super) fn agreed(approval: &ApprovalView, watch: &Watch) -> String {
    let group = approval.group.as_ref().map_or_else(String::new, |group| format!(", for {group}"));
    let until =
        approval.until.map_or_else(String::new, |until| format!("; it counts until {}", watch.tell(until)));
    format!("{} agrees{group}{until}", approval.by)
}

/// What is missing, in words: Comity's where it can't be worked out.
pub(super) fn missing(waiting: &WaitingView) -> String {
    if waiting.sponsor_missing {
        return "missing: a person who takes responsibility for what automation asks for".to_owned();
    }
    match waiting.people_missing {
        None | Some(0) => waiting.message.clone(),
        Some(people) => {
            let groups =
                waiting.groups_missing.iter().map(|missing| (missing.group.clone(), missing.at_least));
            format!("missing: {}", Missing { people, groups: groups.collect() })
        }
    }
}

/// Who can give what is missing, and how.
pub(super) fn who_can(view: &GrantView, waiting: &WaitingView, program: &str) -> String {
    let at = format!("--namespace {}", view.namespace);
    if waiting.sponsor_missing {
        return format!("whoever may sponsor it: {program} sponsor {} {at}", view.name);
    }
    let groups: Vec<&str> = waiting.groups_missing.iter().map(|missing| missing.group.as_str()).collect();
    let who = if groups.is_empty() { "whoever may approve it".to_owned() } else { groups.join(" and ") };
    format!("by {who}: {program} approve {} {} {at}", view.name, waiting.stage.lower())
}
