//! What is counted is served, under the name and labels that the reference lists.

use super::*;

/// Everything touched once.
pub(super) fn touched() -> String {
    let now = Timestamp::UNIX_EPOCH;
    let opening = |days: i64| {
        let until = now + jiff::SignedDuration::from_hours(24 * days);
        OpenNow { stage: Stage::Sandbox, until, lapses: None }
    };
    let metrics = Metrics::new();
    metrics.reconciled(Kind::Grant, Outcome::Waiting, Duration::from_millis(7));
    metrics.requested(Verb::Apply);
    metrics.told("Opened");
    metrics.open_now("one", &[opening(1), opening(2)]);
    metrics.open_now("other", &[opening(60)]);
    metrics.count_openings(now);
    metrics.grants(&BTreeMap::from([("Open".to_owned(), 2), ("Ended".to_owned(), 0)]));
    metrics.late(1);
    metrics.ready("run", true);
    metrics.expired(Duration::from_millis(120));
    metrics.appended(Append::Written);
    metrics.issued(Duration::from_millis(2));
    metrics.refused();
    metrics.answered("TokenUsed");
    metrics.watches([("Partner", true), ("Dataset", false)].into_iter());
    metrics.unreadable([("SharingBoundary", 2), ("Partner", 0)].into_iter());
    metrics.text().expect("it can be written")
}

#[test]
fn everything_that_is_described_is_served_with_its_labels() {
    let text = touched();
    for description in DESCRIPTIONS {
        let (name, type_) = (description.name, description.type_);
        assert!(text.contains(&format!("# TYPE {name} {type_}\n")), "{name}: {text}");
        assert!(text.contains(&format!("# HELP {name} {}", description.help)), "{name}: {text}");
        for label in description.labels {
            let labelled =
                text.lines().any(|line| line.starts_with(name) && line.contains(&format!("{label}=\"")));
            assert!(labelled, "{name} has no label {label}: {text}");
        }
    }
    assert_eq!(text.matches("# TYPE ").count(), DESCRIPTIONS.len(), "something isn't described: {text}");
}

#[test]
fn what_happened_is_what_is_counted() {
    let text = touched();
    for line in [
        "comity_reconciles_total{kind=\"PartnerGrant\",outcome=\"waiting\"} 1",
        "comity_reconcile_seconds_bucket{le=\"0.01\",kind=\"PartnerGrant\"} 1",
        "comity_mutating_requests_total{verb=\"apply\"} 1",
        "comity_events_total{reason=\"Opened\"} 1",
        "comity_openings{stage=\"sandbox\"} 3",
        "comity_openings{stage=\"production\"} 0",
        "comity_openings_ending{stage=\"sandbox\",within=\"1d\"} 1",
        "comity_openings_ending{stage=\"sandbox\",within=\"30d\"} 2",
        "comity_reviews_lapsing{stage=\"sandbox\",within=\"30d\"} 0",
        "comity_grants{reason=\"Open\"} 2",
        "comity_grants{reason=\"Ended\"} 0",
        "comity_certificates_late 1",
        "comity_ready{process=\"run\"} 1",
        "comity_journal_appends_total{outcome=\"failed\"} 0",
        "comity_expiry_lag_seconds_bucket{le=\"0.25\"} 1",
        "comity_expiry_lag_seconds_bucket{le=\"0.1\"} 0",
        "comity_journal_appends_total{outcome=\"written\"} 1",
        "comity_certificates_total{outcome=\"issued\"} 1",
        "comity_certificates_total{outcome=\"refused\"} 1",
        "comity_enrolments_total{reason=\"TokenUsed\"} 1",
        "comity_watch_failing{kind=\"Partner\"} 1",
        "comity_watch_failing{kind=\"Dataset\"} 0",
        "comity_unreadable_objects{kind=\"SharingBoundary\"} 2",
        "comity_unreadable_objects{kind=\"Partner\"} 0",
    ] {
        assert!(text.lines().any(|served| served == line), "{line} is missing in {text}");
    }
}
