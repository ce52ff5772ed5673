//! The modules of `src` as the compiler sees them: which file defines a name, followed through `use` and `pub use`.

#![allow(clippy::wildcard_enum_match_arm, reason = "most kinds of items define no name")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, UseTree, Visibility};

/// A module path without `crate`: `["ledger", "sqlite"]`.
pub(super) type Names = Vec<String>;

/// One module.
#[derive(Default)]
pub(super) struct Module {
    /// The file it is written in.
    pub(super) file: PathBuf,
    /// The names it defines itself.
    items: BTreeSet<String>,
    /// The names it imports or passes on, and the paths they come from.
    aliases: BTreeMap<String, Names>,
    /// Modules whose names it imports with `*`.
    globs: Vec<Names>,
    /// Paths that its code mentions, as they are written; those of `pub use` are not among them.
    pub(super) mentions: Vec<Names>,
}

/// All modules by their path.
pub(super) struct Modules(pub(super) BTreeMap<Names, Module>);

impl Modules {
    /// Reads every source file.
    pub(super) fn read(sources: &BTreeMap<PathBuf, String>, root: &Path) -> Self {
        let mut all = Self(BTreeMap::new());
        for (path, code) in sources {
            let file = syn::parse_file(code).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut names: Names = path.strip_prefix(root).unwrap().with_extension("").iter().map(text).collect();
            if ["mod", "lib"].contains(&names.last().unwrap().as_str()) {
                names.pop();
            }
            all.module(path, names, &file.items);
        }
        all
    }

    fn module(&mut self, path: &Path, names: Names, items: &[Item]) {
        let mut module = Module { file: path.to_owned(), ..Module::default() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(ItemMod { ident, content: Some((_, items)), .. }) => {
                    let inner = [names.clone(), vec![ident.to_string()]].concat();
                    self.module(path, inner, items);
                }
                Item::Mod(_) => {}
                Item::Use(import) => {
                    let passed_on = !matches!(import.vis, Visibility::Inherited);
                    module.import(&mut Vec::new(), &import.tree, passed_on);
                }
                other => {
                    module.items.extend(name_of(other));
                    Mentions(&mut module.mentions).visit_item(other);
                }
            }
        }
        self.0.insert(names, module);
    }

    /// The file that defines what this path names, seen from a module.
    pub(super) fn file_of(&self, from: &Names, path: &[String]) -> Option<&Path> {
        self.resolve(from, path, 0).map(|module| &*self.0[&module].file)
    }

    fn resolve(&self, from: &Names, path: &[String], depth: usize) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        let start = match first.as_str() {
            "crate" => Names::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            name => return self.step(from, name, rest, depth),
        };
        if rest.is_empty() { Some(start) } else { self.resolve_in(&start, rest, depth) }
    }

    fn resolve_in(&self, module: &Names, path: &[String], depth: usize) -> Option<Names> {
        if path[0] == "super" {
            return self.resolve(module, path, depth + 1);
        }
        self.step(module, &path[0], &path[1..], depth)
    }

    /// Looks a name up in a module, and goes on with the rest of the path.
    fn step(&self, at: &Names, name: &str, rest: &[String], depth: usize) -> Option<Names> {
        let module = self.0.get(at)?;
        let child = [at.clone(), vec![name.to_owned()]].concat();
        if self.0.contains_key(&child) {
            return if rest.is_empty() { Some(child) } else { self.resolve_in(&child, rest, depth + 1) };
        }
        if module.items.contains(name) {
            return Some(at.clone());
        }
        if let Some(target) = module.aliases.get(name) {
            let path = [target.as_slice(), rest].concat();
            return self.resolve(at, &path, depth + 1);
        }
        let path = [vec![name.to_owned()], rest.to_vec()].concat();
        module.globs.iter().find_map(|glob| {
            let inside = self.resolve(at, glob, depth + 1)?;
            self.resolve_in(&inside, &path, depth + 1)
        })
    }
}

impl Module {
    fn import(&mut self, before: &mut Names, tree: &UseTree, passed_on: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(before, &path.tree, passed_on);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(before, tree, passed_on)),
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Name(name) => self.alias(before, &name.ident.to_string(), &name.ident.to_string(), passed_on),
            UseTree::Rename(name) => {
                self.alias(before, &name.ident.to_string(), &name.rename.to_string(), passed_on);
            }
        }
    }

    fn alias(&mut self, before: &Names, name: &str, alias: &str, passed_on: bool) {
        let (path, alias) = if name == "self" {
            (before.clone(), if alias == "self" { before.last().unwrap().clone() } else { alias.to_owned() })
        } else {
            ([before.clone(), vec![name.to_owned()]].concat(), alias.to_owned())
        };
        if !passed_on {
            self.mentions.push(path.clone());
        }
        self.aliases.insert(alias, path);
    }
}

/// Collects every path of more than one name.
struct Mentions<'a>(&'a mut Vec<Names>);

impl<'ast> Visit<'ast> for Mentions<'_> {
    /// The path in `pub(in path)` limits who sees an item: the item does not need it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

fn text(part: &std::ffi::OsStr) -> String {
    part.to_string_lossy().into_owned()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().starts_with("test"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}
