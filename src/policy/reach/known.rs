//! Yes, no, or not known (`None`), and what follows from several of them: Kleene's logic.

/// Whether both are so.
pub(super) fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    all([one, other])
}

/// Whether one of these is so; not known where one may be and none is.
pub(super) fn any(each: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut answer = Some(false);
    for one in each {
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => answer = None,
        }
    }
    answer
}

/// Whether all of these are so; not known where one may not be and none isn't.
pub(super) fn all(each: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    not(any(each.into_iter().map(not)))
}

/// Whether it isn't so.
pub(super) fn not(one: Option<bool>) -> Option<bool> {
    one.map(|is_so| !is_so)
}
