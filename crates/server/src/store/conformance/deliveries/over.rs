//! Delivered licenses that a device has to drop, deliveries of which nothing is left, and damaged ones.

use super::*;
use crate::rules::pages::keep_page;
use crate::store::deliveries::give_rows;

over_each_engine! {
    #[tokio::test]
    async fn a_delivered_license_is_taken_back_by_its_id_and_by_every_rule(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let start = mark(store).await;
        let taken = async |order: Order| store.take_back(order, None, 2000).await.unwrap().devices;
        assert_eq!(taken(order(Entry::License(lid_of(50, 7)), None)).await, 1);
        assert_eq!(store.due(OWN).await.unwrap().unwrap().entries, [Entry::License(lid_of(50, 7))]);
        let page = run(store, Some(start), first()).await;
        assert_eq!(withdrawn(&page), [lid_of(50, 7)].into());
        let offer = store.offer(of_account(2, 2000), OWN, Some(USER), vec![kid(7)]).await.unwrap();
        assert!(offer.items[0].as_ref().unwrap().taken_back);
        assert_eq!(claim(store, 10, OWN, 7, 4).await, Err(Out::TakenBack));
        // By a key ID, on one device, of an account, of a time: each only what it means.
        assert_eq!(taken(order(rule(None, Some(kid(8)), None), Some(device(9)))).await, 0);
        assert_eq!(taken(order(rule(None, Some(kid(8)), None), Some(OWN))).await, 1);
        assert_eq!(withdrawn(&run(store, Some(start), first()).await), [lid_of(50, 7), lid_of(50, 8)].into());
        assert_eq!(taken(order(rule(Some(UserId::new([6; 16])), None, None), None)).await, 0);
        assert_eq!(taken(order(rule(None, None, Some(1000)), None)).await, 0);
        let before = mark(store).await;
        assert_eq!(taken(order(rule(Some(USER), None, Some(1001)), None)).await, 1);
        assert_eq!(claim(store, 11, OWN, 9, 4).await, Err(Out::TakenBack));
        let rest: BTreeSet<Lid> = (1..=KIDS).filter(|of| ![7, 8].contains(of)).map(|of| lid_of(50, of)).collect();
        assert_eq!(withdrawn(&run(store, Some(before), first()).await), rest);
        assert_eq!(licenses_in_rows(store).await, 2, "what is taken back whole needs no rows");
        assert!(store.all::<LicenseEntry>().await.unwrap().iter().all(|entry| entry.taken_back));
        // What it was told it is told again only from before.
        assert!(withdrawn(&run(store, Some(mark(store).await), first()).await).is_empty());
        // The mark goes along when one of them gets rows.
        let licenses = vec![(lid_of(50, 9), State::default())];
        written(store.give_back(exchange(70, 3000), OWN, licenses, vec![70]).await.unwrap(), &[70]);
        assert!(held(store).await[8].1.withdrawn && held(store).await[9].1.withdrawn);
    }

    #[tokio::test]
    async fn a_lost_scope_takes_whole_deliveries_and_removed_content_its_licenses(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let start = mark(store).await;
        assert_eq!(store.remove_content(vec![kid(7)], 300).await.unwrap(), 1);
        store.add_content(vec![content(8, "silver")], vec![kid(8)], 310).await.unwrap();
        store.add_content(vec![content(9, "silver")], vec![kid(9)], 320).await.unwrap();
        store.add_content(vec![content(9, "gold")], vec![kid(9)], 330).await.unwrap();
        let page = run(store, Some(start), first()).await;
        assert_eq!(withdrawn(&page), [lid_of(50, 7), lid_of(50, 8)].into(), "what came back is not over");
        let told = async |number: u8, page: DeliveryPage| {
            let issue = Issue { withdrawn: page.withdrawn, made_again: true, deliveries: 1, ..Issue::default() };
            store.issue(of_account(number, 2000), OWN, issue, vec![]).await.unwrap()
        };
        assert_eq!(told(60, page).await, Committed::Done);
        assert_eq!(licenses_in_rows(store).await, 2);
        assert!(withdrawn(&run(store, Some(mark(store).await), first()).await).is_empty());
        store.change_account("tom".to_owned(), vec![], vec!["gold".to_owned()], 400).await.unwrap();
        let query = || DeliveryQuery { scope: None, since: Some(340), from: first() };
        let page = store.delivery(of_account(100, 5000), OWN, query()).await.unwrap();
        let rest: BTreeSet<Lid> = (1..=KIDS).filter(|of| ![7, 8].contains(of)).map(|of| lid_of(50, of)).collect();
        assert_eq!(withdrawn(&page), rest);
        assert_eq!(told(61, page).await, Committed::Done);
        assert_eq!(licenses_in_rows(store).await, 2, "it is noted at the delivery");
        store.change_account("tom".to_owned(), vec!["gold".to_owned()], vec![], 500).await.unwrap();
        let held = held(store).await;
        assert!(held.len() == usize::from(KIDS) - 2 && held.iter().all(|(_, issued)| issued.withdrawn));
        let by_name = store.offer(of_account(62, 5000), OWN, Some(USER), vec![kid(10)]).await.unwrap();
        assert_eq!(by_name.withdrawn.len(), 1, "who asks by name is told with the answer");
    }

    #[tokio::test]
    async fn what_a_device_has_to_drop_comes_in_pages_and_every_delivery_whole(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let more = Issue { licenses: vec![license(1, None)], deliveries: 1, ..Issue::default() };
        written(store.issue(exchange(70, 1000), OWN, more, vec![70]).await.unwrap(), &[70]);
        store.take_back(order(rule(None, None, None), None), None, 2000).await.unwrap();
        let all = run(store, None, first()).await;
        assert_eq!((all.withdrawn.len(), all.next.is_none()), (usize::from(KIDS) + 1, true));
        assert_eq!(all.withdrawn[0].lid, lid(1), "rows come first");
        let behind = Position::Withdrawn(id(50).as_bytes().to_vec());
        assert!(run(store, None, behind).await.withdrawn.is_empty());
        let before = Position::Withdrawn(id(49).as_bytes().to_vec());
        assert_eq!(run(store, None, before).await.withdrawn.len(), usize::from(KIDS));
    }

    #[tokio::test]
    async fn a_damaged_page_keeps_no_other_delivery_from_being_taken_back_and_is_named(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let NewDelivery { mut row, mut page } = delivery(51, device(9), mark(store).await);
        (page.hash, page.about) = (Digest::of(b"of other bytes"), vec![0xff]);
        row.page = page.hash;
        let wrong = delivery(52, device(10), row.mark);
        let wrong = DeliveryRow { live: 3, gone: vec![1], ..wrong.row };
        let written = store.write((page, [row, wrong]), |(page, deliveries), rows| Box::pin(async move {
            // Again after a commit of which nobody was told.
            if rows.deliveries_of(device(9)).await?.is_empty() {
                rows.insert_page(page).await?;
                for row in deliveries {
                    rows.insert_delivery(row).await?;
                }
            }
            Ok(End::Keep(()))
        }));
        written.await.unwrap();
        let checked = store.check_deliveries(None).await.unwrap();
        let broken: Vec<_> = checked.named.iter().map(|broken| (broken.id, broken.device)).collect();
        assert_eq!((checked.deliveries, broken), (3, vec![(id(51), device(9)), (id(52), device(10))]));
        assert_eq!((checked.named[0].page, checked.behind), (Digest::of(b"of other bytes"), None));
        let of_kid = store.take_back(order(rule(None, Some(kid(7)), None), None), None, 2000).await.unwrap();
        assert_eq!((of_kid.devices, of_kid.unread), (2, 1));
        let of_all = store.take_back(order(rule(None, None, None), None), None, 2000).await.unwrap();
        assert_eq!((of_all.devices, of_all.unread), (3, 0), "what all licenses have in common stands beside the page");
    }

    #[tokio::test]
    async fn a_delivery_of_which_nothing_is_left_goes_with_its_page_and_what_is_used_again_stays(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let all: Vec<Lid> = (1..=KIDS).map(|of| lid_of(50, of)).collect();
        let give = store.write(all, |all, rows| Box::pin(async move {
            give_rows(rows, all, None).await?;
            Ok(End::Keep(()))
        }));
        give.await.unwrap();
        let pages = async || store.read((), |(), rows| rows.pages_with(kid(7))).await.unwrap().len();
        let deliveries = async || store.read((), |(), rows| rows.deliveries_of(OWN)).await.unwrap().len();
        const DAY: i64 = 24 * 60 * 60;
        store.drop_deliveries(None, 1000, 5000).await.unwrap();
        assert_eq!((deliveries().await, pages().await), (1, 1), "its answer may be asked for again");
        store.drop_deliveries(None, 1001, 5000).await.unwrap();
        assert_eq!((deliveries().await, pages().await), (0, 1));
        assert_eq!(licenses_in_rows(store).await, usize::from(KIDS), "its licenses stay");
        // Noted at 5000, and used again by another device before its day is over.
        let (page, row) = (delivery(60, device(9), mark(store).await).page, delivery(60, device(9), mark(store).await).row);
        let use_again = store.write((page.clone(), row), |(page, row), rows| Box::pin(async move {
            rows.insert_page(page).await?;
            if rows.deliveries_of(device(9)).await?.is_empty() {
                rows.insert_delivery(row).await?;
            }
            Ok(End::Keep(()))
        }));
        use_again.await.unwrap();
        store.drop_deliveries(None, 0, 5000 + DAY + 1).await.unwrap();
        assert_eq!(pages().await, 1);
        let leave = store.write((), |(), rows| Box::pin(async move {
            for mut row in rows.deliveries_of(device(9)).await? {
                (row.live, row.gone) = (0, vec![0xff; 8]);
                rows.put_gone(&row).await?;
            }
            Ok(End::Keep(()))
        }));
        leave.await.unwrap();
        store.drop_deliveries(None, 1 << 40, 200_000).await.unwrap();
        assert_eq!((deliveries().await, pages().await), (0, 1));
        store.drop_deliveries(None, 0, 200_000 + DAY).await.unwrap();
        assert_eq!(pages().await, 1, "not before its day is over");
        store.drop_deliveries(None, 0, 200_001 + DAY).await.unwrap();
        assert_eq!(pages().await, 0);
    }

    #[tokio::test]
    async fn a_license_that_stands_twice_is_found_and_of_many_damaged_deliveries_some_are_named(world: World) {
        let store = &world.store;
        delivered(&world).await;
        assert_eq!(store.check_deliveries(None).await.unwrap().broken, 0);
        let NewDelivery { row, page } = delivery(50, OWN, mark(store).await);
        let page = keep_page(&page).unwrap();
        let own = page.own(&row, 6).unwrap();
        let twice = store.write(own, |own, rows| Box::pin(async move {
            Ok(End::Keep(rows.insert_licenses(OWN, &[own], 1000).await?))
        }));
        twice.await.unwrap();
        let checked = store.check_deliveries(None).await.unwrap();
        assert_eq!((checked.broken, checked.named[0].id), (1, id(50)));
        assert!(checked.named[0].why.contains("rows of its own"));
        let many = (100..140).map(|number| {
            let delivery = delivery(number, device(number), 0).row;
            DeliveryRow { live: 3, ..delivery }
        });
        let many = store.write(many.collect::<Vec<_>>(), |many, rows| Box::pin(async move {
            if rows.deliveries_of(device(100)).await?.is_empty() {
                for row in many {
                    rows.insert_delivery(row).await?;
                }
            }
            Ok(End::Keep(()))
        }));
        many.await.unwrap();
        let checked = store.check_deliveries(None).await.unwrap();
        assert_eq!((checked.deliveries, checked.broken, checked.named.len()), (41, 41, 20));
    }
}
