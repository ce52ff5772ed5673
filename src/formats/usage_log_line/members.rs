//! Writes a JSON object member by member, without a tree of its values.

use crate::domain::Label;

/// An object that is being written. Members without a value are left out.
pub(super) struct Members {
    text: String,
    digits: itoa::Buffer,
}

impl Members {
    /// An object without members, with room for this many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self { text, digits: itoa::Buffer::new() }
    }

    /// A member with a value that is written next.
    fn name(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        let is_plain = value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if is_plain {
            self.text.push('"');
            self.text.push_str(value);
            self.text.push('"');
        } else {
            self.text.push_str(&serde_json::Value::from(value).to_string());
        }
    }

    /// A name.
    pub(super) fn label(&mut self, name: &str, value: Option<&Label>) {
        if let Some(value) = value {
            self.text(name, value.as_str());
        }
    }

    /// A keyword, unless it is empty.
    pub(super) fn word(&mut self, name: &str, value: &'static str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.text.push_str(self.digits.format(value));
    }

    /// A number, unless it is zero.
    pub(super) fn count(&mut self, name: &str, value: u64) {
        if value > 0 {
            self.number(name, value);
        }
    }

    /// `true`, if it is.
    pub(super) fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.name(name);
            self.text.push_str("true");
        }
    }

    /// An object within this one.
    pub(super) fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.text.push('{');
        write(self);
        self.text.push('}');
    }

    /// The whole object.
    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
