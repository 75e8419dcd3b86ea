//! The commands that pages tell their readers to give.

/// Commands of Comity's that need no cluster.
const LOCAL: [&str; 7] = ["validate", "plan", "diff", "promote", "init", "crd", "completion"];

/// The commands of a block: a line each, but for those that go on.
pub fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let mut all: Vec<String> = Vec::new();
    let (mut goes_on, mut in_loop) = (false, false);
    for line in joined.lines().map(str::trim).filter(|line| !line.is_empty()) {
        in_loop |= line.starts_with("while ");
        match all.last_mut() {
            Some(last) if goes_on => {
                last.push('\n');
                last.push_str(line);
            }
            _ => all.push(line.to_owned()),
        }
        in_loop &= !line.starts_with("done");
        goes_on = in_loop || line.ends_with('|');
    }
    all
}

/// Whether a command needs no cluster.
pub fn is_local(command: &str) -> bool {
    LOCAL.iter().any(|local| command.contains(&format!("comity {local} ")))
        || ["git commit ", "kustomize build "].iter().any(|begin| command.starts_with(begin))
}
