use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const KIND: u8 = 3;

#[test]
fn a_released_token_stays_stale_when_its_slot_is_used_again() {
    let table = Table::new();
    let first = table.insert(KIND, 1).unwrap();
    assert_eq!(table.release(first), Ok(Some(1)));
    for round in 0..1000 {
        let token = table.insert(KIND, round).unwrap();
        assert_ne!(token, first);
        assert_eq!(table.get(first, None), Err(TableError::Invalid));
        assert_eq!(table.release(first), Err(TableError::Invalid));
        assert_eq!(table.release(token), Ok(Some(round)));
    }
}

#[test]
fn another_kind_is_refused() {
    let table = Table::new();
    let token = table.insert(KIND, 1).unwrap();
    assert_eq!(table.get(token, Some(KIND)), Ok(1));
    assert_eq!(table.get(token, Some(KIND + 1)), Err(TableError::Invalid));
}

#[test]
fn a_token_changed_in_any_bit_is_refused() {
    let table = Table::new();
    let token = table.insert(KIND, 1).unwrap();
    for bit in 0..64 {
        assert_eq!(table.get(token ^ 1 << bit, None), Err(TableError::Invalid), "bit {bit}");
    }
}

#[test]
fn references_are_counted() {
    let table = Table::new();
    let token = table.insert(KIND, 1).unwrap();
    table.add_reference(token).unwrap();
    assert_eq!(table.release(token), Ok(None));
    assert_eq!(table.get(token, None), Ok(1));
    assert_eq!(table.release(token), Ok(Some(1)));
    assert_eq!(table.add_reference(token), Err(TableError::Invalid));
}

#[test]
fn a_slot_is_retired_before_its_generations_repeat() {
    let table = Table::beginning_at(u32::MAX - 1);
    let slots: Vec<usize> = (0..3)
        .map(|value| {
            let token = table.insert(KIND, value).unwrap();
            table.release(token).unwrap();
            for stale in [table.get(token, None).map(drop), table.add_reference(token), table.release(token).map(drop)]
            {
                assert_eq!(stale, Err(TableError::Invalid));
            }
            table.parts(token).slot
        })
        .collect();
    assert_eq!(slots, [0, 0, 1]);
}

#[test]
fn tokens_of_one_table_mean_nothing_to_another() {
    let tables: [Table<u8>; 4] = std::array::from_fn(|_| Table::new());
    let tokens = tables.each_ref().map(|table| table.insert(KIND, 1).unwrap());
    for (index, table) in tables.iter().enumerate() {
        let known = tokens.map(|token| table.get(token, None).is_ok());
        assert_eq!(known, std::array::from_fn(|other| other == index));
        let small = (0..100).filter(|number| table.get(*number, None).is_ok());
        assert_eq!(small.count(), 0);
    }
}

#[test]
fn null_is_no_token() {
    let table = Table::new();
    // Mixed with this, the first token would be 0.
    table.salt.set(1 << (SLOT_BITS + KIND_BITS) | u64::from(KIND) << SLOT_BITS).unwrap();
    let token = table.insert(KIND, 1).unwrap();
    assert_ne!(token, 0);
    assert_eq!((table.get(0, None), table.get(token, Some(KIND))), (Err(TableError::Invalid), Ok(1)));
    assert_eq!(table.parts(token).slot, 0, "the slot is used all the same");
}

#[test]
fn no_more_values_than_slots_are_taken_in() {
    let table = Table::new();
    lock(&table.free).next = SLOTS;
    assert_eq!(table.insert(KIND, 1), Err(TableError::Full));
    lock(&table.free).next = 0;
    let token = table.insert(KIND, 1).unwrap();
    lock(&table.slot(0).unwrap().entry).references = u32::MAX;
    assert_eq!(table.add_reference(token), Err(TableError::Full));
    assert_eq!(table.get(token, None), Ok(1));
}

#[test]
fn more_objects_than_a_chunk_holds_have_handles() {
    let table = Table::new();
    let tokens: Vec<Token> = (0..5000).map(|value| table.insert(KIND, value).unwrap()).collect();
    for (value, token) in tokens.into_iter().enumerate() {
        assert_eq!(table.get(token, Some(KIND)), Ok(value));
    }
}

#[test]
fn every_slot_has_a_place_of_its_own() {
    assert_eq!([0, 1, 2, 3, 6, 7].map(place), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 3), (3, 0)]);
    let (chunk, offset) = place(SLOTS - 1);
    assert_eq!((chunk, offset), (CHUNKS - 1, (1 << (CHUNKS - 1)) - 1));
}

/// Threads race on the same few tokens; each value must be given back exactly once and never be seen afterwards.
#[test]
fn each_object_leaves_exactly_once_under_eight_threads() {
    struct Guest(AtomicUsize);
    let table: Table<Arc<Guest>> = Table::new();
    let tokens: [std::sync::atomic::AtomicU64; 4] = Default::default();
    let (entered, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let leave = |guest: Arc<Guest>| {
        assert_eq!(guest.0.fetch_add(1, Ordering::Relaxed), 0);
        left.fetch_add(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (table, tokens, entered, leave) = (&table, &tokens, &entered, &leave);
            scope.spawn(move || {
                let reader = table.reader();
                for step in 0..20_000_usize {
                    let place = &tokens[(step / 3 + thread) % 4];
                    let token = place.load(Ordering::Relaxed);
                    match (step + thread) % 4 {
                        0 => {
                            let token = table.insert(KIND, Arc::new(Guest(AtomicUsize::new(0)))).unwrap();
                            entered.fetch_add(1, Ordering::Relaxed);
                            let before = place.swap(token, Ordering::Relaxed);
                            table.release(before).into_iter().flatten().for_each(leave);
                        }
                        1 => drop(table.with(&reader, (token, Some(KIND)), |guest| {
                            assert_eq!(guest.0.load(Ordering::Relaxed), 0)
                        })),
                        2 => {
                            if table.add_reference(token).is_ok() {
                                table.release(token).into_iter().flatten().for_each(leave);
                            }
                        }
                        _ => table.release(token).into_iter().flatten().for_each(leave),
                    }
                }
            });
        }
    });
    for place in &tokens {
        table.release(place.load(Ordering::Relaxed)).into_iter().flatten().for_each(leave);
    }
    assert_eq!(left.load(Ordering::Relaxed), entered.load(Ordering::Relaxed));
}

#[test]
fn a_look_at_an_object_is_refused_as_a_lookup_is() {
    let table = Table::new();
    let reader = table.reader();
    let token = table.insert(KIND, 1).unwrap();
    let look = |token, kind| table.with(&reader, (token, kind), |value| *value);
    assert_eq!((look(token, Some(KIND)), look(token, None)), (Ok(1), Ok(1)));
    assert_eq!(look(token, Some(KIND + 1)), Err(TableError::Invalid));
    for bit in 0..64 {
        assert_eq!(look(token ^ 1 << bit, None), Err(TableError::Invalid), "bit {bit}");
    }
    table.release(token).unwrap();
    assert_eq!(look(token, None), Err(TableError::Invalid));
}

/// The outer one keeps its slot announced, whatever is looked at within.
#[test]
fn a_look_within_a_look_leaves_the_outer_object_where_it_is() {
    let table = Table::new();
    let (reader, tokens) = (table.reader(), [1, 2].map(|value| table.insert(KIND, value).unwrap()));
    let (inside, ended) = (std::sync::Barrier::new(2), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (table, inside, ended) = (&table, &inside, &ended);
        let release = scope.spawn(move || {
            inside.wait();
            assert_eq!(table.release(tokens[0]), Ok(Some(1)));
            assert!(ended.load(Ordering::SeqCst), "released while it was looked at");
        });
        let looked = table.with(&reader, (tokens[0], None), |outer| {
            assert_eq!(table.with(&reader, (tokens[1], None), |inner| *inner), Ok(2));
            inside.wait();
            // The release is on its way as soon as the token is stale.
            while table.slot(0).unwrap().state.load(Ordering::SeqCst) != EMPTY {
                std::thread::yield_now();
            }
            ended.store(true, Ordering::SeqCst);
            *outer
        });
        assert_eq!(looked, Ok(1));
        release.join().unwrap();
    });
}

#[test]
fn the_place_of_a_reader_that_ended_is_taken_by_the_next() {
    let table: Table<u8> = Table::new();
    (0..100).for_each(|_| drop(table.reader()));
    assert_eq!(table.readers.count(), 1);
    let readers = [(); 3].map(|()| table.reader());
    assert_eq!((table.readers.count(), readers.len()), (3, 3));
}
