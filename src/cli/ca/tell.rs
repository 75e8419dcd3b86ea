//! How the CAs stand, as text. Pure.

use super::view::{Authority, View};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::signer::ca::{Maker, Phase};

/// All of them.
pub(super) fn page(views: &[View], namespace: Option<&str>, watch: &Watch) -> Page {
    let mut page = Page::default();
    if views.is_empty() {
        let place = namespace.map_or_else(String::new, |namespace| format!(" of contracts in {namespace}"));
        page.line(format!("There are no CAs{place}: the first one is made when a stage opens."));
    }
    for (number, view) in views.iter().enumerate() {
        if number > 0 {
            page.gap();
        }
        tell(&mut page, view, watch);
    }
    page
}

fn tell(page: &mut Page, view: &View, watch: &Watch) {
    page.styled(Style::Strong, format!("{} of {}", view.stage, view.contract));
    page.then(Style::Faint, format!(" in {}", view.namespace));
    if view.signs.is_none() {
        page.styled(Style::Bad, "  nothing signs");
    }
    if let Some(why) = &view.refused {
        page.styled(Style::Bad, format!("  refused: {why}"));
    }
    for authority in &view.authorities {
        one(page, authority, watch);
    }
    for next in &view.next {
        page.line(format!("  next       {}: {}", watch.tell(next.at), next.what));
    }
    if let Some(order) = &view.last_order {
        let text = format!(
            "  last order {} by {}, {}: {}",
            order.action,
            order.by,
            watch.relative(order.at),
            order.message
        );
        page.styled(Style::Faint, text);
    }
}

fn one(page: &mut Page, authority: &Authority, watch: &Watch) {
    let (style, word) = match authority.phase {
        Phase::Active => (Style::Good, "signs"),
        Phase::Prepared => (Style::Plain, "is published, and signs nothing yet"),
        Phase::Retiring => (Style::Plain, "signed, and is believed still"),
        Phase::Tainted => (Style::Warn, "was given up, and is believed still"),
        Phase::Retired => (Style::Faint, "isn't believed any more"),
    };
    page.line(format!("  CA {:<3}     ", authority.number));
    page.then(style, word);
    let brought = if authority.made_by == Maker::Platform { ", brought by the platform" } else { "" };
    page.then(Style::Plain, format!("{brought}, valid until {}", watch.tell(authority.not_after)));
    if let Some(until) = authority.signed_live_until {
        let count = match authority.live_in_secrets {
            None => String::new(),
            Some(1) => "1 certificate in a Secret lives that it signed, and ".to_owned(),
            Some(count) => format!("{count} certificates in Secrets live that it signed, and "),
        };
        let told = format!("             {count}nothing that it signed lives after {}", watch.tell(until));
        page.styled(Style::Faint, told);
    }
}
