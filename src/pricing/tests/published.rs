//! Compares the book with the two public lists, by model and day.

use std::collections::BTreeSet;

use super::golden::{at, book};
use crate::domain::Usd;

/// Generated from the lists; see its header.
const PUBLISHED: &str = include_str!("../../../tests/prices/published.tsv");

#[test]
fn forty_models_cost_on_six_days_what_the_public_lists_say() {
    let book = book();
    let (mut models, mut days, mut lists) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for line in PUBLISHED.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [model, day, list, stated @ ..] = fields.as_slice() else { panic!("{line}") };
        models.insert(*model);
        days.insert(*day);
        lists.insert(*list);
        let Some(tariff) = book.rates(model, at(day)) else {
            wrong.push(format!("{line}: no price"));
            continue;
        };
        let rates = &tariff.rates;
        let ours = [Some(rates.input), Some(rates.output), rates.cache_read, rates.cache_write_5m];
        for (stated, ours) in stated.iter().zip(ours) {
            let ours = ours.map(|rate| rate.times(1_000_000));
            if *stated != "-" && ours != Some(Usd::parse(stated).unwrap().0) {
                wrong.push(format!("{line}: {stated} is {ours:?} ({})", tariff.price));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(models.len() >= 40 && days.len() == 6 && lists.len() == 3, "{models:?} {days:?} {lists:?}");
}
