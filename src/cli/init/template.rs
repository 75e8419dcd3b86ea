//! The files to begin with: those beside this one, with the answers in them. Pure.

use super::answer::Answers;

/// Each file, by its name, as it is before anybody has answered.
const FILES: [(&str, &str); 3] = [
    ("dataset.yaml", include_str!("dataset.yaml")),
    ("contract.yaml", include_str!("contract.yaml")),
    ("grant.yaml", include_str!("grant.yaml")),
];

/// What stands for a digest until somebody puts the real one in.
const NO_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Each file, by its name.
pub(super) fn files(answers: &Answers) -> Vec<(&'static str, String)> {
    FILES.iter().map(|(name, text)| (*name, filled(text, answers))).collect()
}

/// A text with the answers in it. No answer holds what stands for another one.
fn filled(text: &str, answers: &Answers) -> String {
    let Answers { namespace, partner, dataset, fields, purpose, owners, until } = answers;
    let quoted: Vec<String> = fields.iter().map(|field| format!("{field:?}")).collect();
    let listed = quoted.iter().map(|field| format!("  - {{name: {field}, classification: Internal}}"));
    let listed = listed.collect::<Vec<_>>().join("\n");
    let fields = quoted.join(", ");
    let values = [
        ("<namespace>", namespace.as_str()),
        ("<partner>", partner),
        ("<dataset>", dataset),
        ("<fields, one a line>", &listed),
        ("<fields>", &fields),
        ("<purpose>", purpose),
        ("<owners>", owners),
        ("<until>", until),
        ("<digest>", NO_DIGEST),
    ];
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
