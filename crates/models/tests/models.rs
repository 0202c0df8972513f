//! Runs each model; it fails with the order of events that breaks it.

use wmlicense_models::{handles, operations, queues};

#[test]
fn every_waiter_finds_the_final_event() {
    operations::every_waiter_finds_the_final_event();
}

#[test]
fn a_verb_begins_after_the_final_event_of_the_one_before() {
    operations::a_verb_begins_after_the_final_event_of_the_one_before();
}

#[test]
fn the_final_event_finds_the_object_idle() {
    operations::the_final_event_finds_the_object_idle();
}

#[test]
fn a_cancel_wakes_work_that_waits() {
    operations::a_cancel_wakes_work_that_waits();
}

#[test]
fn an_event_of_a_cancelled_operation_is_left_out() {
    queues::an_event_of_a_cancelled_operation_is_left_out();
}

#[test]
fn a_cancel_ends_a_pause() {
    queues::a_cancel_ends_a_pause();
}

#[test]
fn a_cancel_takes_no_wake_up_from_another_operation() {
    queues::a_cancel_takes_no_wake_up_from_another_operation();
}

#[test]
fn every_event_arrives_once_and_in_order() {
    queues::every_event_arrives_once_and_in_order();
}

#[test]
fn two_readers_share_the_events() {
    queues::two_readers_share_the_events();
}

#[test]
fn the_end_wakes_everybody() {
    queues::the_end_wakes_everybody();
}

#[test]
fn an_object_leaves_once_while_others_look_it_up() {
    handles::an_object_leaves_once_while_others_look_it_up();
}

#[test]
fn too_many_releases_hurt_nobody() {
    handles::too_many_releases_hurt_nobody();
}

#[test]
fn a_used_up_slot_stays_empty() {
    handles::a_used_up_slot_stays_empty();
}

#[test]
fn an_object_stays_while_it_is_looked_at() {
    handles::an_object_stays_while_it_is_looked_at();
}

#[test]
fn readers_see_the_object_of_their_token() {
    handles::readers_see_the_object_of_their_token();
}
