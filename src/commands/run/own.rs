//! Decides which sessions belong to the run, and which merely ran at the same time.

use chrono::Duration;

use crate::domain::{Dimension, Filter, Instant, Matcher};
use crate::ledger::{Ledger, LedgerError, SessionRow, Sums};

/// If a session in this folder has been idle for this long before the start and then continues, the run resumed it.
const AT_REST: Duration = Duration::minutes(2);
/// Arguments with which agents resume a session, by the prefix of the agent's name. The same letter means something
/// else elsewhere: `-c` is `--config` in Codex. From the help of Claude Code 2.1.332, Codex 0.171.0 and Gemini CLI
/// 0.61.0, 2026-11-27.
const RESUMING: [(&str, &[&str]); 3] =
    [("claude", &["--continue", "-c", "--resume", "-r"]), ("codex", &["resume"]), ("gemini", &["--resume", "-r"])];

/// The command that was run, and its start time.
pub(super) struct Started {
    pub(super) at: Instant,
    /// The program, without its folder, and its arguments.
    pub(super) words: Vec<String>,
}

/// Spending of sessions that do not belong to the run.
#[derive(Clone, Copy, Default)]
pub(super) struct Others {
    pub(super) sessions: u64,
    pub(super) sums: Sums,
}

impl Others {
    pub(super) fn add(&mut self, sums: &Sums) {
        self.sessions += 1;
        self.sums.add(sums);
    }
}

impl Started {
    /// True when a session with calls since the start belongs to the run: it started since, or the run resumed it.
    ///
    /// A call on the whole second of the start may have been made before or after it, so only earlier calls decide. A
    /// session that made a call shortly before the start is being used elsewhere. One that was idle counts as resumed
    /// only if it is in this folder. Calls without a session may belong to the run, so they count.
    pub(super) fn is_own(&self, books: &dyn Ledger, row: &SessionRow, is_here: bool) -> Result<bool, LedgerError> {
        let Some(only) = own_calls(row) else { return Ok(true) };
        let last_before = |until: Instant| -> Result<Option<Instant>, LedgerError> {
            let before = Filter { only: only.clone(), until: Some(until), ..Filter::default() };
            Ok(books.calls(&before, 1)?.first().map(|row| row.call.at()))
        };
        let second = self.second();
        let mut last = last_before(self.at)?;
        if last.is_some_and(|last| second.contains(last)) {
            last = last_before(second.from)?;
        }
        let Some(last) = last else { return Ok(true) };
        let rested = self.at.signed_duration_since(last) > AT_REST;
        Ok((is_here && rested) || self.resumes(row, is_here))
    }

    /// True when the command gives this session, or resumes one of its agent's sessions in this folder:
    /// `claude --resume`.
    fn resumes(&self, row: &SessionRow, is_here: bool) -> bool {
        let Some((program, arguments)) = self.words.split_first() else { return false };
        let name = row.session.as_deref();
        let is_named = name.is_some_and(|name| arguments.iter().any(|word| word.split('=').any(|part| part == name)));
        let agent = |name: &str| RESUMING.iter().find(|(agent, _)| name.split('-').next() == Some(agent));
        let resumes = |words: &[&str]| {
            arguments.iter().any(|word| words.iter().any(|known| word.split('=').next() == Some(known)))
        };
        let is_resumed = agent(&row.source).is_some_and(|known| Some(known) == agent(program) && resumes(known.1));
        is_named || (is_here && is_resumed)
    }
}

/// Selects the calls of this session; `None` for calls without a session.
pub(super) fn own_calls(row: &SessionRow) -> Option<Vec<(Dimension, Matcher)>> {
    let session = row.session.as_ref()?;
    let source = (Dimension::Source, Matcher::exact(row.source.as_str()));
    Some(vec![source, (Dimension::Session, Matcher::exact(session.as_str()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Label;

    /// Whether a command resumes this session in its own folder, and elsewhere.
    fn resumed(command: &str, row: &SessionRow) -> (bool, bool) {
        let words = command.split(' ').map(str::to_owned).collect();
        let started = Started { at: Instant::UNIX_EPOCH, words };
        (started.resumes(row, true), started.resumes(row, false))
    }

    #[test]
    fn a_command_resumes_the_session_it_names_or_one_of_its_agent_here() {
        let at = Instant::UNIX_EPOCH;
        let row = |source: &str| SessionRow {
            session: Some(Label::new("3f2a91c0-1111-4222-8333-444455556666")),
            source: Label::new(source),
            started: at,
            ended: at,
            project: None,
            user: None,
            projects: std::collections::BTreeMap::new(),
            users: std::collections::BTreeMap::new(),
            models: Vec::new(),
            in_agents: Sums::default(),
            sums: Sums::default(),
        };
        for (command, here, elsewhere) in
            [("codex -c model=o3", false, false), ("codex exec resume --last", true, false)]
        {
            assert_eq!(resumed(command, &row("codex")), (here, elsewhere), "{command}");
        }
        for (command, here, elsewhere) in [
            ("claude", false, false),
            ("claude --continue", true, false),
            ("claude -r", true, false),
            ("claude --resume 3f2a91c0-1111-4222-8333-444455556666", true, true),
            ("claude --resume=3f2a91c0-1111-4222-8333-444455556666", true, true),
            ("codex resume --last", false, false),
            ("sh -c", false, false),
        ] {
            assert_eq!(resumed(command, &row("claude-code")), (here, elsewhere), "{command}");
        }
    }
}
