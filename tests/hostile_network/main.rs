//! A hostile or broken service talks to an application through C: each trouble ends in a result of its own with a remedy,
//! and the store is as before. The signed-but-wrong answers come from an authority of the test's own.
#![cfg(test)]

mod cancels;
mod content;
mod offline;
mod pages;
mod player;
mod proxies;
mod scenarios;
mod signed;
mod verbs;

use player::Player;
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::run;

fn every_trouble(form: Form) {
    if !run::has_tool("gcc") {
        return;
    }
    let mut player = Player::start(form);
    content::in_the_header(&mut player);
    scenarios::on_the_way(&mut player);
    scenarios::in_the_answer(&mut player);
    signed::in_who_answers_whom(&mut player);
    signed::in_what_is_granted(&mut player);
    signed::in_the_time(&mut player);
    signed::in_the_pages(&mut player);
    signed::in_the_terms(&mut player);
    verbs::in_an_individualization(&mut player);
    verbs::in_a_redirect(&mut player);
    verbs::in_a_restore(&mut player);
    player.end();
    verbs::in_the_clock_of_the_device(form);
}

#[test]
fn every_trouble_with_a_service_has_its_code_and_leaves_the_store_as_it_was() {
    every_trouble(Form::Shared);
}

#[test]
fn no_trouble_with_a_service_reads_or_writes_where_it_may_not() {
    every_trouble(Form::Sanitized);
}
