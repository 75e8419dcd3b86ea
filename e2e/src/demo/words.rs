//! Words for a reader: what the API server said, shorter, and text broken into lines.

/// The API server's own words, without what only a machine wants: who asked, which API group, and
/// which policy's binding refused. `namespaces` are long names with a word for each.
pub(super) fn shorten(message: &str, namespaces: &[(String, String)]) -> String {
    let mut text = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((_, reason)) = text.split_once(" denied request: ") {
        text = reason.to_owned();
    }
    if let Some((_, refusal)) = text.split_once("\" cannot ") {
        text = format!("cannot {refusal}");
    }
    for (long, word) in namespaces {
        text = text.replace(&format!("the namespace \"{long}\""), word).replace(long, word);
    }
    without_group(&text)
}

/// Without ` in API group "…"`.
fn without_group(text: &str) -> String {
    let Some((before, after)) = text.split_once(" in API group \"") else { return text.to_owned() };
    match after.split_once('"') {
        Some((_, rest)) => format!("{before}{rest}"),
        None => text.to_owned(),
    }
}

/// Breaks `text` between words into lines of at most `width` characters.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            let space = if length > 0 { " " } else { "" };
            line.push_str(space);
            line.push_str(word);
        }
    }
    lines
}

/// The first `width` characters of `text`, and a sign that there was more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let Some(kept) = width.checked_sub(1) else { return String::new() };
    let kept: String = text.chars().take(kept).collect();
    format!("{kept}…")
}

/// `things`, with those that follow one another and are alike counted: `a, b ×3, a`.
pub(super) fn in_order(things: impl IntoIterator<Item = String>, joint: &str) -> String {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for thing in things {
        match counted.last_mut() {
            Some((last, count)) if *last == thing => *count += 1,
            _ => counted.push((thing, 1)),
        }
    }
    let words = counted.into_iter().map(|(thing, count)| match count {
        1 => thing,
        _ => format!("{thing} ×{count}"),
    });
    words.collect::<Vec<_>>().join(joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_rbac_is_what_cannot_be_done() {
        let message = "secrets \"comity-tls-scorer\" is forbidden: User \"system:serviceaccount:a:role-b\" \
                       cannot get resource \"secrets\" in API group \"\" in the namespace \"comity-long\"";
        let names = [("comity-long".to_owned(), "the sandbox".to_owned())];
        let short = shorten(message, &names);
        assert_eq!(short, "cannot get resource \"secrets\" in the sandbox");
    }

    #[test]
    fn a_refusal_of_admission_is_its_reason() {
        let message = "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'comity-pods' with binding \
                       'comity-pods' denied request: image a:1 must be named by its digest";
        assert_eq!(shorten(message, &[]), "image a:1 must be named by its digest");
    }

    #[test]
    fn any_other_message_is_left_as_it_is() {
        assert_eq!(shorten("the server is busy", &[]), "the server is busy");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("averylongword", 4), ["averylongword"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("production", 5), "prod…");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("none", 0), "");
    }

    #[test]
    fn neighbours_that_are_alike_are_counted() {
        let things = ["a", "b", "b", "a"].map(str::to_owned);
        assert_eq!(in_order(things, " → "), "a → b ×2 → a");
    }
}
