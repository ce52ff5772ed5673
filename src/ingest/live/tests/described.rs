//! Logs with sidecar files.

use super::*;

#[test]
fn k6_a_log_is_read_again_when_a_file_that_describes_it_changes_and_that_is_checked_once_for_all_its_logs() {
    let place = |root: &Path| root.join("s-1");
    let message = |at: u32| {
        format!(
            r#"{{"sessionId":"s-1","messages":[{{"ts":179568390{at}000,"metrics":{{"inputTokens":5,"outputTokens":1}}}}]}}"#
        )
    };
    let mut scene = Scene::of(Ok(()), |root| {
        fs::create_dir_all(place(root)).unwrap();
        for at in 0..8 {
            fs::write(place(root).join(format!("agent{at}.messages.json")), message(at)).unwrap();
        }
        let location = crate::formats::Location::tree(root.to_owned());
        Roots { agents: vec![(crate::formats::FormatId::of_name("cline").unwrap(), location)], ..Roots::default() }
    });
    assert_eq!(scene.lines, 8);
    let about = place(&scene.root).join("s-1.json");
    fs::write(&about, r#"{"model":"gpt-5.5","metadata":{"usage":{"inputTokens":50,"outputTokens":10}}}"#).unwrap();
    let stats = |scene: &Scene| scene.stats.swap(0, Ordering::Relaxed);
    stats(&scene);
    scene.step(vec![Hint::Changed(about.clone())]);
    assert_eq!(scene.lines, 16, "each of the logs that it describes");
    stats(&scene);
    scene.step(vec![Hint::Changed(about)]);
    assert_eq!((scene.lines, stats(&scene)), (16, 8 + 1), "one look at each log, and one at the file");
    // With every event lost.
    fs::write(place(&scene.root).join("s-1.json"), "{}").unwrap();
    scene.pass(Duration::from_secs(120));
    assert_eq!(scene.lines, 24);
    // Documents that are replaced do not pile up.
    let about = place(&scene.root).join("s-1.json");
    for _ in 0..3 {
        let changed = (0..8).map(|at| {
            let path = place(&scene.root).join(format!("agent{at}.messages.json"));
            let next = path.with_extension("next");
            fs::write(&next, message(at)).unwrap();
            fs::rename(&next, &path).unwrap();
            Hint::Changed(path)
        });
        scene.step(changed.collect());
        scene.pass(Duration::from_secs(120));
        assert_eq!(scene.live.tails.describers.logs_of(&about).len(), 8);
    }
}
