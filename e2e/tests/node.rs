//! A real node: pods, packets, and what network policies make of them. Runs as root on Linux, in
//! namespaces of its own; says loudly what it left out where that can't be (`e2e/README.md`).
#![cfg_attr(
    target_os = "linux",
    expect(clippy::expect_used, reason = "a story's helpers fail like its tests")
)]

#[cfg(target_os = "linux")]
#[path = "node/again.rs"]
mod again;
#[cfg(target_os = "linux")]
#[path = "node/chart.rs"]
mod chart;
#[cfg(target_os = "linux")]
#[path = "node/demo.rs"]
mod demo;
#[cfg(target_os = "linux")]
#[path = "node/dials.rs"]
mod dials;
#[cfg(target_os = "linux")]
#[path = "property/dice.rs"]
mod dice;
#[cfg(target_os = "linux")]
#[path = "node/door.rs"]
mod door;
#[cfg(target_os = "linux")]
#[path = "node/elsewhere.rs"]
mod elsewhere;
#[cfg(target_os = "linux")]
#[path = "node/ground.rs"]
mod ground;
#[cfg(target_os = "linux")]
#[path = "node/identity.rs"]
mod identity;
#[cfg(target_os = "linux")]
#[path = "node/interrupted.rs"]
mod interrupted;
#[cfg(target_os = "linux")]
#[path = "node/matrix.rs"]
mod matrix;
#[cfg(target_os = "linux")]
#[path = "node/policies.rs"]
mod policies;
#[cfg(target_os = "linux")]
#[path = "node/reach.rs"]
mod reach;
#[cfg(target_os = "linux")]
#[path = "node/refresh.rs"]
mod refresh;
#[cfg(target_os = "linux")]
#[path = "node/renewal.rs"]
mod renewal;
#[cfg(target_os = "linux")]
#[path = "rotation/ground.rs"]
#[expect(dead_code, reason = "shared with the stories of rotation")]
mod rotating;
#[cfg(target_os = "linux")]
#[path = "node/scene.rs"]
mod scene;
#[cfg(target_os = "linux")]
#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod story;
#[cfg(target_os = "linux")]
#[path = "node/takeover.rs"]
mod takeover;
#[cfg(target_os = "linux")]
#[path = "node/talk.rs"]
mod talk;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use e2e::node::tier::Outside;
    let outside = [
        Outside {
            name: "an_interrupted_run_leaves_nothing_that_the_next_doesnt_take_away",
            play: || Box::pin(interrupted::leaves_nothing()),
        },
        Outside {
            name: "where_no_node_runs_it_is_said_what_was_left_out",
            play: || Box::pin(elsewhere::says_what_it_left_out()),
        },
        Outside { name: "the_demo_with_a_node_ends_well", play: || Box::pin(demo::ends_well()) },
    ];
    let stories: Vec<_> = stories().into_iter().chain(stories_that_are_asked_for()).collect();
    e2e::node::tier::main(env!("CARGO_BIN_EXE_speaker"), &outside, &stories)
}

#[cfg(target_os = "linux")]
fn stories() -> Vec<e2e::node::tier::Story> {
    use e2e::node::tier::Story;
    vec![
        Story::new("a_kubelets_settings_are_its_own", |_| {
            Box::pin(async { ground::a_kubelets_settings_are_its_own() })
        }),
        Story::new("a_policy_shuts_and_opens", |node| Box::pin(ground::a_policy_shuts_and_opens(node))),
        Story::new("packets_go_where_the_stored_policies_say", |node| {
            Box::pin(reach::packets_go_where_the_policies_say(node))
        }),
        Story::new("nothing_but_what_is_agreed_passes_at_any_stage_or_transition", |node| {
            Box::pin(matrix::nothing_but_what_is_agreed_passes(node))
        }),
        Story::new("a_rehearsal_dials_for_real_and_tells_where_nobody_holds_pods_to_policies", |node| {
            Box::pin(dials::a_rehearsal_dials_for_real(node))
        }),
        Story::new("connections_end_with_their_pods_at_the_end_and_under_quarantine", |node| {
            Box::pin(talk::connections_end_with_their_pods(node))
        }),
        Story::new("only_the_very_workload_is_let_in_by_its_certificate", |node| {
            Box::pin(identity::only_the_very_workload_is_let_in(node))
        }),
        Story::new("what_is_made_again_under_the_same_name_is_somebody_else", |node| {
            Box::pin(again::identities_dont_carry_over(node))
        }),
        Story::new("nobody_is_refused_while_certificates_are_renewed_or_were_late", |node| {
            Box::pin(renewal::nobody_is_refused_while_certificates_are_renewed(node))
        }),
        Story::new("nobody_is_refused_while_a_ca_takes_over", |node| {
            Box::pin(takeover::nobody_is_refused_while_a_ca_takes_over(node))
        }),
        Story::new("the_chart_runs_as_pods_from_an_image_without_a_shell", |node| {
            Box::pin(chart::the_chart_runs_as_pods(node))
        }),
    ]
}

/// Those that are played where somebody asks for them.
#[cfg(target_os = "linux")]
fn stories_that_are_asked_for() -> Vec<e2e::node::tier::Story> {
    use e2e::node::{UPSTREAM, tier::Story};
    vec![
        Story::new("a_node_asks_again_when_it_is_told_to_and_nobody_is_refused", |node| {
            Box::pin(refresh::nodes_ask_again_when_they_are_told_to(node))
        })
        .taking("most of an hour"),
        Story::new("the_suite_of_kubernetes_finds_the_policies_held", |node| {
            Box::pin(ground::the_upstream_suite_passes(node))
        })
        .where_set(UPSTREAM, "some minutes"),
    ]
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: the stories of the node, as they need Linux");
}
