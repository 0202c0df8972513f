//! Models of the table of handles: an object leaves once, and no token is ever valid again.

use crate::in_every_order;
use crate::object::table::{Table, TableError};
use crate::sync::Shared;
use loom::thread;
use std::sync::Arc;

const KIND: u8 = 3;

fn table(first_generation: u32) -> Arc<Table<u32>> {
    Arc::new(Table::beginning_at(first_generation))
}

/// The last two references go on two threads while a third looks the object up and a fourth takes its slot.
pub fn an_object_leaves_once_while_others_look_it_up() {
    in_every_order(2, || {
        let table = table(1);
        let Ok(token) = table.insert(KIND, 10) else { unreachable!("the table is empty") };
        assert_eq!(table.add_reference(token), Ok(()));
        let releases = [(); 2].map(|()| {
            let table = Arc::clone(&table);
            thread::spawn(move || table.release(token))
        });
        let its_table = Arc::clone(&table);
        let lookup = thread::spawn(move || {
            let found = its_table.get(token, Some(KIND));
            assert!(matches!(found, Ok(10) | Err(TableError::Invalid)), "{found:?}");
        });
        let Ok(next) = table.insert(KIND, 20) else { unreachable!("there is room for two") };
        assert_ne!(next, token);
        assert_eq!(table.get(next, None), Ok(20));
        let given_back = releases.into_iter().filter_map(|release| release.join().ok());
        assert_eq!(given_back.filter(|answer| *answer == Ok(Some(10))).count(), 1, "it leaves once");
        assert!(lookup.join().is_ok());
        assert_eq!(
            (table.get(token, None), table.release(token)),
            (Err(TableError::Invalid), Err(TableError::Invalid))
        );
        assert_eq!(table.get(next, Some(KIND)), Ok(20));
    });
}

/// More releases than references, with a reference added meanwhile: the object leaves once all the same.
pub fn too_many_releases_hurt_nobody() {
    in_every_order(3, || {
        let table = table(1);
        let Ok(token) = table.insert(KIND, 10) else { unreachable!("the table is empty") };
        let (first, second) = (Arc::clone(&table), Arc::clone(&table));
        let first = thread::spawn(move || (first.release(token), first.insert(KIND, 11)));
        let second = thread::spawn(move || second.release(token));
        let third = table.add_reference(token).is_ok().then(|| table.release(token));
        let (Ok((released, inserted)), Ok(over)) = (first.join(), second.join()) else { unreachable!("no panic") };
        let answers = [Some(released), Some(over), third];
        assert_eq!(answers.iter().filter(|answer| **answer == Some(Ok(Some(10)))).count(), 1, "{answers:?}");
        let Ok(inserted) = inserted else { unreachable!("there is room") };
        assert_eq!(table.get(inserted, Some(KIND)), Ok(11));
    });
}

/// A slot whose generations are used up is not given out again.
pub fn a_used_up_slot_stays_empty() {
    in_every_order(3, || {
        let table = table(u32::MAX);
        let Ok(token) = table.insert(KIND, 1) else { unreachable!("the table is empty") };
        let its_table = Arc::clone(&table);
        let release = thread::spawn(move || its_table.release(token));
        let Ok(next) = table.insert(KIND, 2) else { unreachable!("there is room") };
        assert!(matches!(release.join(), Ok(Ok(Some(1)))));
        let Ok(third) = table.insert(KIND, 3) else { unreachable!("there is room") };
        assert!(token != next && token != third && next != third);
        assert_eq!(table.get(token, None), Err(TableError::Invalid));
    });
}

/// What only one of several threads may change at a time.
struct Value(Shared<u32>);

// SAFETY: the checker watches every access.
unsafe impl Sync for Value {}

/// Who looks at an object has it until the look is over: the release gives it back only then, and who comes next into its slot is
/// somebody else. The value's cell complains of a look that goes on while it is changed.
pub fn an_object_stays_while_it_is_looked_at() {
    in_every_order(3, || {
        let table: Arc<Table<Arc<Value>>> = Arc::new(Table::beginning_at(1));
        let Ok(token) = table.insert(KIND, Arc::new(Value(Shared::new(10)))) else {
            unreachable!("the table is empty")
        };
        let its_table = Arc::clone(&table);
        let look = thread::spawn(move || {
            let reader = its_table.reader();
            // SAFETY: what this model is about: nobody changes the value while it is shown.
            let value = |value: &Arc<Value>| value.0.with(|value| unsafe { *value });
            let found = its_table.with(&reader, (token, Some(KIND)), value);
            assert!(matches!(found, Ok(10) | Err(TableError::Invalid)), "{found:?}");
        });
        let Ok(Some(left)) = table.release(token) else { unreachable!("there is one reference") };
        // SAFETY: as above.
        left.0.with_mut(|value| unsafe { *value = 0 });
        assert!(table.insert(KIND, left).is_ok_and(|next| next != token));
        assert!(look.join().is_ok());
    });
}

/// Two readers and two objects, one after the other in one slot: each sees what its token says, or nothing.
pub fn readers_see_the_object_of_their_token() {
    in_every_order(2, || {
        let table = table(1);
        let Ok(first) = table.insert(KIND, 10) else { unreachable!("the table is empty") };
        let looks = [(); 2].map(|()| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let reader = table.reader();
                for _ in 0..2 {
                    let found = table.with(&reader, (first, None), |value| *value);
                    assert!(matches!(found, Ok(10) | Err(TableError::Invalid)), "{found:?}");
                }
            })
        });
        assert_eq!(table.release(first), Ok(Some(10)));
        let Ok(second) = table.insert(KIND, 20) else { unreachable!("there is room") };
        let reader = table.reader();
        assert_eq!(table.with(&reader, (second, Some(KIND)), |value| *value), Ok(20));
        assert!(looks.into_iter().all(|look| look.join().is_ok()));
    });
}
