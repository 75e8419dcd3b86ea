//! What is generated is what is committed, and says what it was made from.

use std::path::Path;

use super::*;

#[test]
fn what_is_committed_is_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stale: Vec<String> = files()
        .expect("every type can be written")
        .into_iter()
        .filter(|file| std::fs::read_to_string(root.join(&file.path)).unwrap_or_default() != file.contents)
        .map(|file| file.path)
        .collect();
    assert!(stale.is_empty(), "run `cargo run -- generate --write`; these differ: {stale:?}");
}

#[test]
fn yaml_says_what_the_objects_say() {
    let objects: Vec<Value> =
        [rbac::objects(template::NAMESPACE), admission::objects(template::NAMESPACE), deployment::objects()]
            .concat();
    let written = template::documents(&objects).expect("YAML");
    let read: Vec<Value> = serde_saphyr::from_multiple(&written).expect("YAML");
    assert_eq!(read, objects);
}

#[test]
fn no_blank_is_left_in_what_is_installed() {
    for file in files().expect("every type can be written") {
        let blank = template::BLANKS.iter().find(|blank| file.contents.contains(**blank));
        assert!(blank.is_none(), "{}: {blank:?}", file.path);
    }
}

#[test]
fn what_is_installed_asks_no_admission_of_a_webhook() {
    let install = install::file().expect("install.yaml").contents;
    assert!(!install.contains("WebhookConfiguration"));
}
