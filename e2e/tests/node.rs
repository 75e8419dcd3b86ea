//! A real node: pods, packets, and what network policies make of them. Runs as root on Linux, in
//! namespaces of its own; says loudly what it left out where that can't be (`e2e/README.md`).
#![cfg_attr(
    target_os = "linux",
    expect(clippy::expect_used, reason = "a story's helpers fail like its tests")
)]

#[cfg(target_os = "linux")]
#[path = "node/ground.rs"]
mod ground;
#[cfg(target_os = "linux")]
#[path = "node/interrupted.rs"]
mod interrupted;
#[cfg(target_os = "linux")]
#[path = "node/matrix.rs"]
mod matrix;
#[cfg(target_os = "linux")]
#[path = "node/scene.rs"]
mod scene;
#[cfg(target_os = "linux")]
#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod story;
#[cfg(target_os = "linux")]
#[path = "node/talk.rs"]
mod talk;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use e2e::node::tier::{Outside, Story};
    let outside = [Outside {
        name: "an_interrupted_run_leaves_nothing_that_the_next_doesnt_take_away",
        play: || Box::pin(interrupted::leaves_nothing()),
    }];
    let stories = [
        Story {
            name: "a_kubelets_settings_are_its_own",
            play: |_| Box::pin(async { ground::a_kubelets_settings_are_its_own() }),
        },
        Story {
            name: "a_policy_shuts_and_opens",
            play: |node| Box::pin(ground::a_policy_shuts_and_opens(node)),
        },
        Story {
            name: "nothing_but_what_is_agreed_passes_at_any_stage_or_transition",
            play: |node| Box::pin(matrix::nothing_but_what_is_agreed_passes(node)),
        },
        Story {
            name: "connections_end_with_their_pods_at_the_end_and_under_quarantine",
            play: |node| Box::pin(talk::connections_end_with_their_pods(node)),
        },
    ];
    e2e::node::tier::main(env!("CARGO_BIN_EXE_speaker"), &outside, &stories)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: the stories of the node, as they need Linux");
}
