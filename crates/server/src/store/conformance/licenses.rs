//! Licenses: what is offered, delivered and renewed, what is written with an answer, and decisions that others overtook.

use super::*;
use crate::accounts::NewAccount;
use crate::rules::epochs::YEAR;
use crate::rules::revocation::Order;
use wmlicense_wire::id::UserId;
use wmlicense_wire::license::State;
use wmlicense_wire::request::MAX_LICENSES;
use wmlicense_wire::revocation::Rule;

const USER: UserId = UserId::new([5; 16]);

fn kid(number: u8) -> Kid {
    Kid::new([number; 16])
}

fn content(number: u8, scope: Option<&str>, policy: Option<&str>) -> NewContent {
    let (scope, policy) = (scope.map(str::to_owned), policy.map(str::to_owned));
    NewContent { kid: kid(number), sealed_key: vec![number], title: Some(format!("Title {number}")), policy, scope }
}

/// A catalogue: open content 3, content 6 and 7 for `gold`, and an account that has it.
async fn catalogue(store: &Store) {
    let contents = vec![content(3, None, None), content(6, Some("gold"), None), content(7, Some("gold"), None)];
    assert_eq!(store.add_content(contents, vec![], 100).await.unwrap(), added(3, &[]));
    let account = NewAccount { user: USER, scopes: vec!["gold".to_owned()] };
    assert!(store.add_account("tom".to_owned(), account, Digest::new([8; 32]), 200).await.unwrap());
}

fn of_account(number: u8, now: i64) -> Exchange {
    Exchange { account: Some(USER), ..exchange(number, now) }
}

/// A license of the account for content 6.
fn gold(number: u8) -> NewLicense {
    NewLicense { kid: kid(6), user: Some(USER), ..license(number, None) }
}

async fn deliver(store: &Store, since: Option<i64>, from: Position) -> DeliveryPage {
    let query = DeliveryQuery { scope: None, since, from };
    store.delivery(of_account(100, 5000), OWN, query).await.unwrap()
}

fn first() -> Position {
    Position::Withdrawn(Vec::new())
}

fn kids(page: &DeliveryPage) -> Vec<Kid> {
    page.items.iter().map(|(_, kid, _)| *kid).collect()
}

async fn handed_out(store: &Store, number: u8, lid: Lid, now: i64) -> Committed {
    let again = vec![HandedOut { lid, state: State::default() }];
    store.issue(exchange(number, now), OWN, Issue { again, ..Issue::default() }, vec![number]).await.unwrap()
}

over_each_engine! {
    #[tokio::test]
    async fn a_decision_that_was_overtaken_is_told_and_leaves_nothing(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        assert_eq!(world.issue(2, 1000, license(2, None)).await, Committed::Changed);
        assert_eq!(world.issue(3, 1000, license(3, Some(9))).await, Committed::Changed);
        assert_eq!(prior(store, exchange(3, 1000)).await, Prior::None);
        written(world.issue(4, 1000, license(4, Some(1))).await, &[4]);
        let again = world.issue(4, 1000, license(5, Some(4))).await;
        assert_eq!(again, Committed::Prior(Prior::Answered(Some(vec![4]))));
        // What was written before the overtaken one goes with it: the license, its seat and the answer.
        let first = NewLicense { kid: kid(9), ..license(6, None) };
        let both = issued(vec![first, license(7, Some(1))]);
        assert_eq!(store.issue(exchange(5, 1000), OWN, both, vec![5]).await.unwrap(), Committed::Changed);
        assert_eq!(prior(store, exchange(5, 1000)).await, Prior::None);
        let held = store.held(exchange(6, 1000), OWN, vec![lid(6), lid(4)]).await.unwrap();
        assert_eq!(held.known, [false, true]);
        let all = licenses(store).await;
        assert_eq!((all.len(), all[0].lid), (1, lid(4)));
    }

    #[tokio::test]
    async fn of_those_that_replace_a_license_at_once_one_does(world: World) {
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let replace = async |store: &Store, number: u8| {
            let issue = issued(vec![license(number, Some(1))]);
            store.issue(exchange(number, 2000), OWN, issue, vec![number]).await.unwrap()
        };
        let told = tokio::join!(replace(&world.store, 11), replace(&world.other, 12), replace(&world.store, 13));
        let changed = [told.0, told.1, told.2].into_iter().filter(|told| *told == Committed::Changed).count();
        assert_eq!(changed, 2);
        assert_eq!(licenses(&world.store).await.len(), 1);
    }

    #[tokio::test]
    async fn what_is_withdrawn_must_be_the_devices_license_at_that_time(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let withdraw = async |number, of| {
            let withdrawn = vec![Withdrawn { lid: lid(of), kid: KID, user: None }];
            let issue = Issue { withdrawn, ..Issue::default() };
            store.issue(exchange(number, 1000), OWN, issue, vec![number]).await.unwrap()
        };
        assert_eq!(withdraw(2, 9).await, Committed::Changed);
        assert_eq!(prior(store, exchange(2, 1000)).await, Prior::None);
        written(withdraw(3, 1).await, &[3]);
    }

    #[tokio::test]
    async fn twice_within_any_365_days_and_a_decision_that_comes_third_is_made_again(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let known = async |now| {
            let mut offer = store.offer(exchange(99, now), OWN, None, vec![KID]).await.unwrap();
            let again = offer.items.remove(0).unwrap().current.unwrap().again;
            (again.times, again.from)
        };
        assert_eq!(known(1000).await, (0, 1000));
        written(handed_out(store, 2, lid(1), 5000).await, &[2]);
        written(handed_out(store, 3, lid(1), 6000).await, &[3]);
        assert_eq!(known(6000).await, (2, 5000 + YEAR));
        assert_eq!(handed_out(store, 4, lid(1), 5000 + YEAR - 1).await, Committed::Changed);
        assert_eq!(known(5000 + YEAR).await, (1, 6000 + YEAR));
        written(handed_out(store, 5, lid(1), 5000 + YEAR).await, &[5]);
        assert_eq!(handed_out(store, 6, lid(1), 5000 + YEAR).await, Committed::Changed);
        // A clock that went back forgives nothing.
        assert_eq!(handed_out(store, 7, lid(1), 2000).await, Committed::Changed);
    }

    #[tokio::test]
    async fn what_came_in_the_place_of_another_counts_with_it(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        written(handed_out(store, 2, lid(1), 5000).await, &[2]);
        written(world.issue(3, 1000, license(9, Some(1))).await, &[3]);
        let line = |device| store.read(device, |device, rows| rows.seats_of(*device, &LATER, rows::For::Reading));
        assert_eq!(line(OWN).await.unwrap()[0].line, Some(lid(1)));
        assert!(line(device(3)).await.unwrap().is_empty());
        written(handed_out(store, 4, lid(9), 6000).await, &[4]);
        assert_eq!(handed_out(store, 5, lid(9), 7000).await, Committed::Changed);
        assert_eq!(handed_out(store, 6, lid(1), 7000).await, Committed::Changed);
    }

    #[tokio::test]
    async fn an_offer_has_what_there_is_and_the_license_that_the_holder_has(world: World) {
        let store = &world.store;
        catalogue(store).await;
        let issue = issued(vec![NewLicense { state: Some(State::default()), ..gold(1) }]);
        written(store.issue(of_account(1, 1000), OWN, issue, vec![1]).await.unwrap(), &[1]);
        let asked = vec![kid(6), kid(9), kid(3)];
        let offer = store.offer(of_account(2, 2000), OWN, Some(USER), asked.clone()).await.unwrap();
        let [Some(own), None, Some(open)] = &offer.items[..] else { panic!("another offer") };
        let current = own.current.as_ref().unwrap();
        assert_eq!((current.lid, current.withdrawn, own.taken_back), (lid(1), false, false));
        assert!(open.current.is_none() && own.rules.is_empty());
        let nobody = store.offer(exchange(3, 2000), OWN, None, asked.clone()).await.unwrap();
        assert!(nobody.items[0].as_ref().unwrap().current.is_none(), "it is the account's");
        let other = store.offer(of_account(4, 2000), device(9), Some(USER), asked).await.unwrap();
        assert!(other.items[0].as_ref().unwrap().current.is_none(), "it is the device's");
    }

    #[tokio::test]
    async fn the_subscription_of_a_leaf_comes_along_unless_it_was_asked_for(world: World) {
        let store = &world.store;
        let subscription = NewSubscription {
            name: "club".to_owned(), kid: kid(20), sealed_key: vec![20], policy: None, scope: Some("gold".to_owned()),
        };
        assert_eq!(store.set_subscription(subscription, 100).await.unwrap(), (kid(20), true));
        assert!(store.set_policy("leaf".to_owned(), "{}".to_owned(), Some("club".to_owned()), 110).await.unwrap());
        store.add_content(vec![content(6, Some("gold"), Some("leaf"))], vec![], 120).await.unwrap();
        let offer = store.offer(exchange(1, 1000), OWN, None, vec![kid(6)]).await.unwrap();
        assert!(matches!(&offer.items[0].as_ref().unwrap().content.part, Part::Leaf(root) if root.kid == kid(20)));
        assert_eq!(offer.roots.iter().map(|(kid, _)| *kid).collect::<Vec<_>>(), [kid(20)]);
        let both = store.offer(exchange(1, 1000), OWN, None, vec![kid(6), kid(20)]).await.unwrap();
        assert!(both.roots.is_empty() && matches!(both.items[1].as_ref().unwrap().content.part, Part::Root));
        let listed = store.all::<SubscriptionEntry>().await.unwrap();
        assert_eq!((listed[0].name.as_str(), listed[0].leaves), ("club", 1));
    }

    #[tokio::test]
    async fn a_run_since_the_last_one_tells_what_changed_and_all_of_a_new_scope(world: World) {
        let store = &world.store;
        catalogue(store).await;
        let all = deliver(store, None, first()).await;
        assert_eq!((kids(&all), all.next.clone()), (vec![kid(3), kid(6), kid(7)], None));
        assert!(kids(&deliver(store, Some(all.mark), first()).await).is_empty());
        store.add_content(vec![content(7, Some("gold"), None)], vec![kid(7)], 300).await.unwrap();
        assert!(kids(&deliver(store, Some(all.mark), first()).await).is_empty(), "the same is no change");
        let renamed = NewContent { title: Some("Another".to_owned()), ..content(7, Some("gold"), None) };
        store.add_content(vec![renamed], vec![kid(7)], 300).await.unwrap();
        let changed = deliver(store, Some(all.mark), first()).await;
        assert_eq!(kids(&changed), [kid(7)]);
        assert!(changed.mark > all.mark);
        store.change_account("tom".to_owned(), vec![], vec!["gold".to_owned()], 400).await.unwrap();
        store.change_account("tom".to_owned(), vec!["gold".to_owned()], vec![], 500).await.unwrap();
        assert_eq!(kids(&deliver(store, Some(changed.mark), first()).await), [kid(6), kid(7)], "the scope is new");
        assert_eq!(kids(&deliver(store, Some(1 << 40), first()).await).len(), 3, "a mark of a former life");
        let behind = Position::Scope("gold".to_owned(), kid(6).as_bytes().to_vec());
        assert_eq!(kids(&deliver(store, None, behind).await), [kid(7)]);
    }

    #[tokio::test]
    async fn more_than_an_answer_takes_goes_on_where_it_ended(world: World) {
        let store = &world.store;
        let many = (0..=MAX_LICENSES).map(|number| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
            NewContent { kid: Kid::new(bytes), title: None, ..content(1, None, None) }
        });
        store.add_content(many.collect(), vec![], 100).await.unwrap();
        let page = deliver(store, None, first()).await;
        assert_eq!(page.items.len(), MAX_LICENSES);
        let rest = deliver(store, None, page.next.unwrap()).await;
        assert_eq!((rest.items.len(), rest.next), (1, None));
        assert!(page.items.last().unwrap().1 < rest.items[0].1);
    }

    #[tokio::test]
    async fn what_is_held_in_memory_is_what_is_offered_whoever_changed_it(world: World) {
        let store = &world.store;
        catalogue(store).await;
        let told = async || {
            let page = deliver(store, None, first()).await;
            let told = |(_, kid, offered): (_, Kid, Offered)| {
                let content = offered.content;
                let policy = content.policy.map(|policy| policy.1.clone());
                (kid, content.title, policy, content.sealed_key.bytes().to_vec(), content.scope.map(|of| of.to_string()))
            };
            page.items.into_iter().map(told).collect::<Vec<_>>()
        };
        let row = |number: u8, scope: Option<&str>, title: Option<String>, policy: Option<&str>| {
            let (policy, scope) = (policy.map(str::to_owned), scope.map(str::to_owned));
            (kid(number), title, policy, vec![number], scope)
        };
        let title = |number: u8| Some(format!("Title {number}"));
        let at_first = [row(3, None, title(3), None), row(6, Some("gold"), title(6), None), row(7, Some("gold"), title(7), None)];
        assert_eq!(told().await, at_first);
        assert_eq!(told().await, at_first, "from memory");
        let other = &world.other;
        other.remove_content(vec![kid(6)], 300).await.unwrap();
        let renamed = NewContent { title: Some("Another".to_owned()), ..content(7, Some("gold"), None) };
        other.add_content(vec![renamed, content(8, Some("gold"), None)], vec![kid(7)], 310).await.unwrap();
        let another = row(7, Some("gold"), Some("Another".to_owned()), None);
        assert_eq!(told().await, [row(3, None, title(3), None), another.clone(), row(8, Some("gold"), title(8), None)]);
        other.set_policy("p".to_owned(), "{ }".to_owned(), None, 320).await.unwrap();
        other.add_content(vec![content(8, Some("gold"), Some("p"))], vec![kid(8)], 330).await.unwrap();
        assert_eq!(told().await[2], row(8, Some("gold"), title(8), Some("{ }")));
        other.set_policy("p".to_owned(), "{}".to_owned(), None, 340).await.unwrap();
        assert_eq!(told().await[2], row(8, Some("gold"), title(8), Some("{}")));
        // What an account may have is read anew each time, and is no change of this.
        other.change_account("tom".to_owned(), vec![], vec!["gold".to_owned()], 350).await.unwrap();
        assert_eq!(told().await, [row(3, None, title(3), None)]);
        other.change_account("tom".to_owned(), vec!["gold".to_owned()], vec![], 360).await.unwrap();
        assert_eq!(told().await[1], another);
    }

    #[tokio::test]
    async fn what_the_account_lost_is_to_be_dropped_and_told_once(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(store.issue(of_account(1, 1000), OWN, issued(vec![gold(1)]), vec![1]).await.unwrap(), &[1]);
        written(store.issue(exchange(2, 1000), OWN, issued(vec![license(2, None)]), vec![2]).await.unwrap(), &[2]);
        let over = async |since| {
            let page = deliver(store, since, first()).await;
            (page.withdrawn.iter().map(|withdrawn| withdrawn.lid).collect::<Vec<_>>(), page.mark)
        };
        assert_eq!(over(None).await.0, []);
        store.change_account("tom".to_owned(), vec![], vec!["gold".to_owned()], 2000).await.unwrap();
        let (lost, mark) = over(None).await;
        assert_eq!(lost, [lid(1)]);
        assert_eq!(over(Some(mark)).await.0, [lid(1)], "it was not told yet");
        let withdrawn = vec![Withdrawn { lid: lid(1), kid: kid(6), user: Some(USER) }];
        let issue = Issue { withdrawn, ..Issue::default() };
        written(store.issue(of_account(3, 3000), OWN, issue, vec![3]).await.unwrap(), &[3]);
        assert_eq!(over(Some(mark)).await.0, [], "it was told at this mark");
        assert_eq!(over(None).await.0, [lid(1)]);
        assert_eq!(store.remove_content(vec![KID, kid(99)], 4000).await.unwrap(), 1);
        assert_eq!(over(Some(mark)).await.0, [lid(2)], "the content ended");
        let by_name = store.offer(exchange(5, 5000), OWN, None, vec![KID, kid(6)]).await.unwrap();
        assert_eq!(by_name.withdrawn.iter().map(|over| over.lid).collect::<Vec<_>>(), [lid(2), lid(1)]);
    }

    #[tokio::test]
    async fn what_was_restored_goes_with_the_account_that_it_was_issued_to(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(store.issue(of_account(1, 1000), OWN, issued(vec![gold(1)]), vec![1]).await.unwrap(), &[1]);
        let claim = Claim {
            lid: lid(1), kid: kid(6), issued_here: true, bound: OWN, limit: 4, state: None, policy: policy(1, None), joins: None,
        };
        store.claim(exchange(2, 1000), device(9), vec![claim], Default::default()).await.unwrap();
        let over = async || {
            let query = DeliveryQuery { scope: None, since: None, from: first() };
            let page = store.delivery(exchange(100, 5000), device(9), query).await.unwrap();
            page.withdrawn.iter().map(|withdrawn| (withdrawn.lid, withdrawn.user)).collect::<Vec<_>>()
        };
        assert_eq!(over().await, []);
        store.change_account("tom".to_owned(), vec![], vec!["gold".to_owned()], 2000).await.unwrap();
        assert_eq!(over().await, [(lid(1), Some(USER))]);
        // Another license stands in the row of the first device: nobody knows whose the restored one is.
        let other = NewLicense { replaces: Some(lid(1)), line: Some(lid(1)), ..gold(2) };
        written(store.issue(of_account(3, 3000), OWN, issued(vec![other]), vec![3]).await.unwrap(), &[3]);
        assert_eq!(over().await, []);
        store.remove_content(vec![kid(6)], 4000).await.unwrap();
        assert_eq!(over().await, [(lid(1), None)]);
    }

    #[tokio::test]
    async fn a_renewal_knows_what_the_device_holds_and_whose_it_is(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(store.issue(of_account(1, 1000), OWN, issued(vec![gold(1)]), vec![1]).await.unwrap(), &[1]);
        let renew = async |account: Option<UserId>, of: DeviceId, asked: Vec<Lid>| {
            let exchange = Exchange { account, ..exchange(9, 2000) };
            store.renewable(exchange, of, asked).await.unwrap().items
        };
        let own = renew(Some(USER), OWN, vec![lid(9), lid(1)]).await;
        let [Renewable::NotHeld, Renewable::Held(held)] = &own[..] else { panic!("another renewal") };
        assert_eq!((held.kid, held.restored, held.current.as_ref().unwrap().lid), (kid(6), false, lid(1)));
        let claim = Claim {
            lid: lid(1), kid: kid(6), issued_here: true, bound: OWN, limit: 4, state: None, policy: policy(1, None), joins: None,
        };
        store.claim(exchange(2, 1000), device(9), vec![claim], Default::default()).await.unwrap();
        assert!(matches!(renew(Some(USER), device(9), vec![lid(1)]).await[0], Renewable::Held(ref held) if held.restored));
        assert!(matches!(renew(None, device(9), vec![lid(1)]).await[0], Renewable::OtherAccount(of) if of == kid(6)));
        store.give_back(exchange(3, 3000), device(9), vec![(lid(1), State::default())], vec![3]).await.unwrap();
        assert!(matches!(renew(Some(USER), device(9), vec![lid(1)]).await[0], Renewable::NotHeld));
        store.remove_content(vec![kid(6)], 4000).await.unwrap();
        let ended = store.renewable(of_account(9, 5000), OWN, vec![lid(1)]).await.unwrap();
        assert!(matches!(ended.items[0], Renewable::NoContent(of) if of == kid(6)));
        assert_eq!(ended.withdrawn[0].lid, lid(1));
    }

    #[tokio::test]
    async fn what_went_out_again_counts_once_for_a_renewal(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let again = Claim {
            lid: lid(1), kid: KID, issued_here: true, bound: OWN, limit: 4, state: None, policy: policy(1, Some(5)), joins: None,
            };
        store.claim(exchange(2, 2000), OWN, vec![again], Default::default()).await.unwrap();
        let offer = store.renewable(exchange(3, 3000), OWN, vec![lid(1), lid(1)]).await.unwrap();
        for item in offer.items {
            let Renewable::Held(held) = item else { panic!("another renewal") };
            assert_eq!(held.current.unwrap().again.times, 1);
        }
    }

    #[tokio::test]
    async fn what_a_rule_or_an_id_takes_back_is_told_with_the_offer(world: World) {
        let store = &world.store;
        catalogue(store).await;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let rule = Rule { kid: Some(KID), ..Rule::default() };
        let order = Order { entry: wmlicense_wire::revocation::Entry::Rule(rule), device: None };
        assert_eq!(store.take_back(order, None, 2000).await.unwrap().devices, 1);
        let offer = store.offer(exchange(2, 3000), OWN, None, vec![KID]).await.unwrap();
        let offered = offer.items[0].as_ref().unwrap();
        assert_eq!((&offered.rules[..], offered.taken_back), (&[rule][..], false));
        let by_id = Order { entry: wmlicense_wire::revocation::Entry::License(lid(1)), device: Some(OWN) };
        store.take_back(by_id, None, 2000).await.unwrap();
        let offer = store.offer(exchange(2, 3000), OWN, None, vec![KID]).await.unwrap();
        assert!(offer.items[0].as_ref().unwrap().taken_back);
        assert!(licenses(store).await[0].taken_back);
    }
}

const LATER: [Lid; 1] = [Lid::new([9; 16])];
