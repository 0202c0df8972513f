//! Models of the table of handles: an object leaves once, and no token is ever valid again.

use crate::in_every_order;
use crate::object::table::{Table, TableError};
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
