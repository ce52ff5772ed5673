//! Maps working directories to projects.

/// Folder inside a repository in which Claude Code keeps its worktrees.
const WORKTREES: [&str; 2] = ["/.claude/worktrees/", "\\.claude\\worktrees\\"];

/// The project of a folder if it differs from the folder: the repository of a Claude Code worktree,
/// `<repository>/.claude/worktrees/<name>`, or of a folder inside one; for a name that ends with a slash, the folder
/// without it.
pub(crate) fn repository_of(folder: &str) -> Option<&str> {
    worktree_repository(folder).or_else(|| Some(without_slash(folder)).filter(|name| name.len() < folder.len()))
}

/// The folder without a slash at its end, unless it is the root of a file system.
pub(crate) fn without_slash(folder: &str) -> &str {
    let name = folder.trim_end_matches(['/', '\\']);
    if name.is_empty() || name.ends_with(':') { folder } else { name }
}

fn worktree_repository(folder: &str) -> Option<&str> {
    let (at, end) = WORKTREES.iter().filter_map(|mark| folder.find(mark).map(|at| (at, at + mark.len()))).min()?;
    let name = folder[end..].trim_start_matches(['/', '\\']);
    (at > 0 && !name.is_empty()).then(|| &folder[..at])
}

/// The project of a folder, as used in reports and limits: the folder itself, without a slash at its end, or, for a
/// Claude Code worktree, its repository.
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
            "/home/kim/shop/claude/worktrees/x",
            "/.claude/worktrees/x",
            "shop",
            "",
        ] {
            assert_eq!((repository_of(folder), project_of(folder)), (None, folder));
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_no_other_project() {
        for (folder, project) in [
            ("/home/kim/shop/", "/home/kim/shop"),
            ("/home/kim/shop//", "/home/kim/shop"),
            ("C:\\shop\\", "C:\\shop"),
            ("/home/kim/shop/.claude/worktrees/", "/home/kim/shop/.claude/worktrees"),
            ("/", "/"),
            ("C:\\", "C:\\"),
            ("", ""),
        ] {
            assert_eq!(project_of(folder), project, "{folder}");
        }
    }
}
