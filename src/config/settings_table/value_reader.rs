//! Reads the value of one setting.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::super::toml_reader::{Node, Section, TomlReader};
use super::super::values::{self, Word};
use super::super::{Env, Settings, Token};
use super::{NAME, ZONE};
use crate::domain::Label;

/// Reads the value of one key.
pub(super) struct ValueReader<'r, 'w, 'n, 't> {
    pub(super) reader: &'r mut TomlReader<'w>,
    pub(super) section: &'r mut Section<'n, 't>,
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) env: &'r Env,
    pub(super) themes: &'r [&'r str],
}

impl<'n, 't> ValueReader<'_, '_, 'n, 't> {
    pub(super) fn set<T>(&mut self, slot: &mut T, expected: &str, read: impl FnOnce(&Node<'n, 't>) -> Option<T>) {
        self.section.set(self.reader, slot, self.key, expected, read);
    }

    /// Like [`ValueReader::set`], but an empty text means none.
    pub(super) fn set_optional<T>(
        &mut self,
        slot: &mut Option<T>,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) {
        self.set(slot, expected, |node| match node.text()? {
            "" => Some(None),
            text => read(text).map(Some),
        });
    }

    pub(super) fn switch(&mut self, slot: &mut bool) {
        self.set(slot, "true or false", Node::truth);
    }

    /// Reads an integer within bounds.
    pub(super) fn whole<T: TryFrom<i128>>(&mut self, slot: &mut T, of: &str, bounds: RangeInclusive<i128>) {
        let expected = format!("{of} from {} to {}", bounds.start(), bounds.end());
        self.set(slot, &expected, |node| node.whole_in(bounds));
    }

    pub(super) fn file(&mut self, slot: &mut Option<PathBuf>, expected: &str) {
        let env = self.env;
        self.set(slot, expected, |node| match node.text()? {
            "" => Some(None),
            _ => node.path(env).map(Some),
        });
    }

    pub(super) fn choose<T: Word>(&mut self, slot: &mut T) {
        self.section.choose(self.reader, slot, self.key);
    }

    /// An empty name means the login name, which does not count as set by the file.
    pub(super) fn user(&mut self, settings: &mut Settings) {
        let name = |node: &Node<'n, 't>| node.text().map(Label::find);
        match self.section.read(self.reader, self.key, NAME, name) {
            Some(Some(user)) => settings.user = user,
            Some(None) => drop(self.reader.origins.remove(self.name)),
            None => {}
        }
    }

    /// An empty name means the system's zone.
    pub(super) fn zone(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(values::zone) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(zone)) => {
                settings.zone = zone;
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.wrong(&node, &format!(", which is {why}")),
            None => self.wrong(&node, &format!("; give {ZONE}")),
        }
    }

    pub(super) fn theme(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(|text| values::theme(text, self.themes)) {
            Some(Ok(theme)) => {
                settings.theme = theme;
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.reader.error(node.span, why),
            None => self.wrong(&node, &format!("; give {NAME}")),
        }
    }

    /// Reads a list of paths, which must not depend on the working directory.
    pub(super) fn paths(&mut self, slot: &mut Vec<PathBuf>, expected: &str) {
        let Some(node) = self.section.get(self.key) else { return };
        if node.texts().is_none() {
            self.wrong(&node, &format!("; give {expected}"));
            return;
        }
        self.reader.came_from(self.name, node.span.clone());
        for item in node.list().unwrap_or_else(|| vec![node.clone()]) {
            let Some(path) = item.path(self.env) else {
                let is_home = item.text().is_some_and(|text| Path::new(text).starts_with("~"));
                let why = if is_home { "there is no home folder to begin at" } else { "relative to nothing" };
                let value = self.reader.describe_value(&item);
                let give = "give a path that begins with / or ~/";
                self.reader.error(item.span.clone(), format!("{}: {value} is {why}; {give}", self.key));
                continue;
            };
            slot.push(path);
        }
    }

    /// Reads a web address. It may be a secret, so no message repeats it.
    pub(super) fn address(&mut self, slot: &mut Option<String>) {
        let Some(node) = self.section.get(self.key) else { return };
        let is_address = |text: &str| {
            let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_control))
        };
        if let Some(text) = node.text().filter(|text| text.is_empty() || is_address(text)) {
            self.reader.came_from(self.name, node.span);
            *slot = Some(text.to_owned()).filter(|text| !text.is_empty());
        } else {
            let table = self.name.rsplit_once('.').map_or("", |(table, _)| table);
            let expected = "give an address that begins with https:// or http://, or \"\"";
            self.reader.error(node.span, format!("{table}: '{}' is not a web address; {expected}", self.key));
        }
    }

    /// Reads the token. It is a secret, so no message repeats it.
    pub(super) fn token(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(Token::new) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(token)) => {
                settings.server.token = Some(token);
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.reader.error(node.span, format!("server: 'token' {why}")),
            None => self.reader.error(node.span, "server: 'token' is not a text; give letters and digits in quotes"),
        }
    }

    pub(super) fn wrong(&mut self, node: &Node<'_, '_>, why: &str) {
        let message = format!("'{}' is {}{why}", self.key, self.reader.describe_value(node));
        self.reader.error(node.span.clone(), message);
    }
}
