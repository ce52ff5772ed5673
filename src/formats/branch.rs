//! Names of git branches in logs.

/// The branch named in a log, without `refs/heads/`; `None` if no branch is checked out.
pub(super) fn branch_name(logged: Option<&str>) -> Option<&str> {
    let name = logged?.trim();
    let name = name.strip_prefix("refs/heads/").unwrap_or(name);
    (!name.is_empty() && name != "HEAD").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detached_head_is_no_branch() {
        for (logged, name) in [
            (None, None),
            (Some(""), None),
            (Some("HEAD"), None),
            (Some("main"), Some("main")),
            (Some("refs/heads/feature/x"), Some("feature/x")),
        ] {
            assert_eq!(branch_name(logged), name);
        }
    }
}
