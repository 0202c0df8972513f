//! Several clients over one store, as processes have them: what one puts in, takes away or tidies up the others see at once.

use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, Settings};
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::restore;
use wmlicense_core::store_keeper::check;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{World, content_key, kid};

const ROUNDS: u64 = 40;
/// Clients that write at once, and licenses that each of them acquires one by one.
const WRITERS: u64 = 4;
const EACH: u64 = 25;

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

fn has(home: &Home<'_>, number: u64) -> bool {
    let store = &home.client.store;
    let licenses = store.licenses(kid(number)).unwrap();
    assert!(licenses.len() <= 1);
    licenses.iter().any(|license| store.unwrap_key(license).unwrap().as_bytes() == content_key(kid(number)))
}

/// Restores what the store has: at its end the index is put in order.
fn tidy(client: &Client) {
    let folder = tempfile::tempdir().unwrap();
    back_up(client, folder.path(), true, &quiet()).unwrap();
    restore(client, &Settings::default(), folder.path(), false, &quiet()).unwrap();
}

#[test]
fn what_one_client_puts_in_takes_away_or_puts_in_order_the_others_see_at_once() {
    let world = World::new();
    let first = Home::new(&world);
    let second = first.again();
    for round in 0..ROUNDS {
        let (writer, reader) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        assert!(!has(reader, round) && !has(writer, round));
        writer.acquire(&[world.policy(kid(round))]).unwrap();
        assert!(has(reader, round) && has(writer, round), "{round}");
        if round % 7 == 3 {
            tidy(&writer.client);
        }
        if round % 5 == 4 {
            assert_eq!(reader.client.store.delete(kid(round - 2)).unwrap(), 1);
            assert!(!has(writer, round - 2) && !has(reader, round - 2), "{round}");
        }
        let there = (0..=round).filter(|number| has(reader, *number)).count() as u64;
        assert_eq!(there, round + 1 - (round + 1) / 5, "{round}");
        assert_eq!(writer.client.store.license_count().unwrap(), there);
    }
    for home in [&first, &second] {
        assert!(check(&home.client, false, &quiet()).is_ok());
    }
}

#[test]
fn clients_that_write_at_once_lose_nothing_of_each_other() {
    let world = World::new();
    let home = Home::new(&world);
    // A second restore at the same time is refused.
    let restoring = std::sync::Mutex::new(());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (home, world, restoring) = (home.again(), &world, &restoring);
            scope.spawn(move || {
                for number in writer * EACH..(writer + 1) * EACH {
                    home.acquire(&[world.policy(kid(number))]).unwrap();
                    assert!(has(&home, number), "{number}");
                    if number % 10 == writer {
                        let _one = restoring.lock();
                        tidy(&home.client);
                    }
                    if number % 6 == 5 {
                        assert_eq!(home.client.store.delete(kid(number)).unwrap(), 1);
                    }
                }
            });
        }
    });
    let expected = |number: &u64| number % 6 != 5;
    let there: Vec<u64> = (0..WRITERS * EACH).filter(|number| has(&home, *number)).collect();
    // What one deletes while another restores a backup that has it comes back with that.
    assert!((0..WRITERS * EACH).filter(expected).all(|number| there.contains(&number)), "{there:?}");
    assert_eq!(home.client.store.license_count().unwrap(), there.len() as u64);
    assert!(check(&home.client, false, &quiet()).is_ok());
}
