//! Objects whose keys are names, such as the totals of a session by model.

use super::fields::{Cell, Field, Fields, Shape, Slot};

/// The values of an object with their names. Any other value counts as empty.
#[derive(Debug)]
pub(super) struct Keyed<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Slot for Keyed<T> {
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de, T: Cell<'de> + Default> Fields<'de> for Keyed<T> {
    fn begin(&mut self) {
        self.0.clear();
    }
    fn named(&mut self, name: &[u8]) -> Option<Field<'_, 'de>> {
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let place = self.0.len();
        self.0.push((name, T::default()));
        Some(self.0[place].1.field())
    }
}

impl<'de, T: Cell<'de> + Default> Cell<'de> for Keyed<T> {
    fn field(&mut self) -> Field<'_, 'de> {
        Field::Shape(Shape::Object(self))
    }
}
