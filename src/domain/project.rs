//! Which project a working directory belongs to.

/// Where Claude Code keeps the worktrees of a repository, within it.
const WORKTREES: [&str; 2] = ["/.claude/worktrees/", "\\.claude\\worktrees\\"];

/// The repository of a folder that is one of Claude Code's worktrees, `<repository>/.claude/worktrees/<name>`, or
/// lies in one; `None` of any other folder.
pub(crate) fn repository_of(folder: &str) -> Option<&str> {
    let (at, end) = WORKTREES.iter().filter_map(|mark| folder.find(mark).map(|at| (at, at + mark.len()))).min()?;
    let name = folder[end..].trim_start_matches(['/', '\\']);
    (at > 0 && !name.is_empty()).then(|| &folder[..at])
}

/// The project that reports and limits know a folder by: itself, unless it is one of Claude Code's worktrees.
pub(crate) fn project_of(folder: &str) -> &str {
    repository_of(folder).unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worktree_belongs_to_the_repository_it_lies_in() {
        for folder in [
            "/home/kim/shop/.claude/worktrees/calm-otter",
            "/home/kim/shop/.claude/worktrees/calm-otter/backend/src",
            "/home/kim/shop/.claude/worktrees/calm-otter/.claude/worktrees/inner",
        ] {
            assert_eq!(repository_of(folder), Some("/home/kim/shop"), "{folder}");
        }
        assert_eq!(project_of("C:\\shop\\.claude\\worktrees\\calm-otter"), "C:\\shop");
    }

    #[test]
    fn every_other_folder_is_a_project_of_its_own() {
        for folder in [
            "/home/kim/shop",
            "/home/kim/shop/backend",
            "/home/kim/shop/.claude/worktrees",
            "/home/kim/shop/.claude/worktrees/",
            "/home/kim/shop/claude/worktrees/x",
            "/.claude/worktrees/x",
            "shop",
            "",
        ] {
            assert_eq!((repository_of(folder), project_of(folder)), (None, folder));
        }
    }
}
