//! Random lives of a device beside a simple model of who may play what how often. What the store holds, what is left and what
//! plays is compared after every step. A folder put back as it was is out of scope: nothing on a software device tells.
#![allow(unreachable_pub)]

mod belief;
mod life;
mod step;
mod time;

use life::{Life, Seen};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use wmlicense_testkit::World;

/// With this variable set there are many more and longer lives.
const LONG: &str = "WM_TEST_LONG";

#[test]
fn any_life_of_a_device_agrees_with_the_model() {
    let long = std::env::var_os(LONG).is_some();
    let (cases, steps) = if long { (1500, 20..=80) } else { (16, 24..=32) };
    let config = Config { cases, failure_persistence: None, max_shrink_time: 20_000, ..Config::default() };
    let world = World::new();
    let seen = Cell::new(Seen::default());
    let lives = proptest::collection::vec(step::some(), steps);
    // The short form lives the same lives each time, so that a change that breaks one is the change that is told of it.
    let mut runner = if long {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let result = runner.run(&lives, |steps| {
        let mut life = Life::begin(&world);
        for step in steps.iter().flatten() {
            life.take(step);
            life.compare();
        }
        seen.set(seen.get() + life.seen);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.get();
    println!("{seen:?}");
    assert!(seen.is_enough(long), "some part of life never happened: {seen:?}");
}
