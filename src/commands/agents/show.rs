//! The agents as a table.

use std::path::Path;

use super::{Agent, Document, Place};
use crate::commands::{Context, Failure, tui_options};
use crate::domain::{Instant, Zone, sort_by_key};
use crate::formats::Exactness;
use crate::output;
use crate::text;

/// Terminal width from which places are shown at greater length, and the width below which they are left out.
const WIDE: usize = 160;
const NARROW: usize = 112;
/// Maximum length of a place in a wide terminal and in others.
const PLACE: usize = 44;
const SHORT_PLACE: usize = 22;
/// Column of the place.
const WHERE: usize = 6;

impl Document {
    pub(super) fn write(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let (now, zone) = (context.now(), context.settings.zone);
        let (readable, tokenless): (Vec<&Agent>, Vec<&Agent>) = self.agents.iter().partition(|agent| agent.readable);
        let room = context.env.columns;
        let place_room = if room.is_some_and(|room| room < WIDE) { SHORT_PLACE } else { PLACE };
        let is_narrow = room.is_some_and(|room| room < NARROW);
        let heads = ["agent", "found", "counts", "files", "calls", "last call", "where", "not in its logs"];
        let mut heads: Vec<String> = heads.map(str::to_owned).to_vec();
        let mut rows: Vec<&Agent> = readable;
        sort_by_key(&mut rows, |agent| !agent.found);
        let mut rows: Vec<Vec<String>> =
            rows.into_iter().map(|agent| agent.row(context, now, zone, place_room)).collect();
        if is_narrow {
            rows.iter_mut().chain([&mut heads]).for_each(|row| drop(row.remove(WHERE)));
        }
        output::wrapped(&heads, &rows, room, context.out)?;
        if is_narrow {
            writeln!(context.out, "\nOmitted for lack of space: where")?;
        }
        writeln!(context.out, "\nHow exact an agent's logs are, in the column 'counts':")?;
        for part in Exactness::ALL {
            writeln!(context.out, "{:<3} {}", part.mark(), part.meaning())?;
        }
        writeln!(context.out, "\nNo tokens on the disk; a proxy or telemetry can count them:")?;
        let heads = ["agent", "found", "its files hold"].map(str::to_owned);
        let rows: Vec<Vec<String>> = tokenless
            .into_iter()
            .map(|agent| vec![agent.name.to_owned(), found_mark(agent.found), agent.gaps.to_owned()])
            .collect();
        Ok(output::wrapped(&heads, &rows, room, context.out)?)
    }
}

impl Agent {
    fn row(&self, context: &Context<'_>, now: Instant, zone: Zone, place_room: usize) -> Vec<String> {
        let number = |number: u64| if self.found { text::count(number) } else { String::new() };
        let is_there = |place: &&Place| place.state != "waiting";
        let place = self.places.iter().find(is_there).or_else(|| self.places.first());
        let shown = place
            .map_or_else(String::new, |place| tui_options::path_label(context, Path::new(&*place.path)).to_string());
        let others = match self.places.len().saturating_sub(1) {
            0 => String::new(),
            1 => " and 1 more".to_owned(),
            others => format!(" and {others} more"),
        };
        vec![
            self.name.to_owned(),
            found_mark(self.found),
            self.fidelity.clone(),
            number(self.files),
            number(self.calls),
            self.last.map_or_else(String::new, |at| text::moment(at, now, zone)),
            text::fit_middle(&shown, place_room) + &others,
            self.gaps.to_owned(),
        ]
    }
}

fn found_mark(is_found: bool) -> String {
    if is_found { "yes" } else { "no" }.to_owned()
}
