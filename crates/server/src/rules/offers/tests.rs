use super::*;
use crate::rules::granted::GrantId;

const USER: UserId = UserId::new([5; 16]);
const OTHER: UserId = UserId::new([6; 16]);
const KID: Kid = Kid::new([1; 16]);
const ROOT: Kid = Kid::new([2; 16]);
const NOW: i64 = 1000;

const RENT: &str = r#"{"actions":{"Play":{"secondsAfterFirstUse":172800}}}"#;
const BUY: &str = r#"{"actions":{"Play":{}},"backup":true}"#;
const DATED: &str = r#"{"actions":{"Play":{"notAfter":"1970-01-01T01:00:00Z"}}}"#;
const FIRST: &str = r#"{"priority":3,"actions":{"Play":{"count":1}}}"#;

fn offer(name: &str, policy: &str, scopes: &[&str]) -> OfferRow {
    OfferRow {
        name: name.to_owned(),
        policy: Some(std::sync::Arc::new((format!("{name} terms"), policy.to_owned()))),
        root: None,
        open: false,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        names_kids: false,
        changed: 0,
    }
}

fn grant(number: u8, offer: &str) -> GrantRow {
    GrantRow {
        id: GrantId::new([number; 16]),
        user: USER,
        offer: offer.to_owned(),
        from: None,
        until: None,
        uses: None,
        devices: None,
        reference: None,
        created_at: i64::from(number),
        changed: 0,
        ended_at: None,
    }
}

fn content(scope: Option<&str>) -> Content {
    let policy = Some(("own".to_owned(), RENT.to_owned()));
    Content::catalogued(vec![], None, policy, scope.map(str::to_owned), Part::Content)
}

fn scopes(names: &[&str]) -> Vec<ScopeRow> {
    names.iter().map(|scope| ScopeRow { user: USER, scope: (*scope).to_owned(), changed: 0 }).collect()
}

/// The policy that content is settled on for an account, or why not.
fn settled(rights: Rights, content: Content, user: Option<UserId>) -> Result<String, (Reason, Option<i64>)> {
    let mut rights = rights;
    let settled = rights.settle(KID, content, user);
    match settled.right {
        Right::Refused(reason, from) => Err((reason, from)),
        Right::Anybody | Right::Account | Right::Granted(_) => Ok(settled.policy.unwrap().0.clone()),
    }
}

fn with(grants: Vec<GrantRow>, offers: Vec<OfferRow>) -> Rights {
    Rights::of(Vec::new(), grants, offers, NOW)
}

#[test]
fn without_offers_a_scope_and_openness_decide_as_they_stand() {
    let rights = |names: &[&str]| Rights::of(scopes(names), Vec::new(), Vec::new(), NOW);
    assert_eq!(settled(rights(&["gold"]), content(Some("gold")), Some(USER)), Ok("own".to_owned()));
    assert_eq!(settled(rights(&["gold"]), content(Some("gold")), Some(OTHER)), Err((Reason::NotEntitled, None)));
    assert_eq!(settled(rights(&["tin"]), content(Some("gold")), Some(USER)), Err((Reason::NotEntitled, None)));
    assert_eq!(settled(rights(&[]), content(Some("gold")), None), Err((Reason::AccountRequired, None)));
    assert_eq!(settled(rights(&[]), content(None), None), Ok("own".to_owned()));
}

#[test]
fn of_several_grants_that_contradict_the_best_gives_the_terms() {
    let offers = || {
        vec![
            offer("rent", RENT, &["gold"]),
            offer("buy", BUY, &["gold"]),
            offer("dated", DATED, &["gold"]),
            offer("first", FIRST, &["gold"]),
        ]
    };
    let of = |names: &[&str]| {
        let grants = names.iter().enumerate().map(|(at, name)| grant(at as u8 + 1, name)).collect();
        settled(with(grants, offers()), content(Some("gold")), Some(USER)).unwrap()
    };
    assert_eq!(of(&["rent", "buy"]), "buy terms", "what has no state comes before what has");
    assert_eq!(of(&["dated", "buy"]), "buy terms", "what ends never comes before what ends");
    assert_eq!(of(&["rent", "dated"]), "dated terms");
    assert_eq!(of(&["buy", "first"]), "first terms", "the priority comes before all");
}

#[test]
fn what_is_over_comes_last_even_where_its_priority_is_highest() {
    let over = r#"{"priority":9,"actions":{"Play":{"notAfter":"1970-01-01T00:00:10Z"}}}"#;
    let offers = vec![offer("over", over, &["gold"]), offer("rent", RENT, &["gold"])];
    let rights = with(vec![grant(1, "over"), grant(2, "rent")], offers);
    assert_eq!(settled(rights, content(Some("gold")), Some(USER)), Ok("rent terms".to_owned()));
}

#[test]
fn a_grant_counts_from_its_beginning_to_its_end_and_no_longer_than_it_is_not_ended() {
    let at = |from, until, ended_at| {
        let grant = GrantRow { from, until, ended_at, ..grant(1, "buy") };
        settled(with(vec![grant], vec![offer("buy", BUY, &["gold"])]), content(Some("gold")), Some(USER))
    };
    assert!(at(None, None, None).is_ok() && at(Some(NOW), Some(NOW + 1), None).is_ok());
    assert_eq!(at(Some(NOW + 1), None, None), Err((Reason::NotEntitled, Some(NOW + 1))), "it says when");
    assert_eq!(at(None, Some(NOW), None), Err((Reason::NotEntitled, None)));
    assert_eq!(at(None, Some(NOW + 9), Some(NOW)), Err((Reason::NotEntitled, None)));
}

#[test]
fn the_end_of_a_grant_ends_its_license_but_not_a_leaf_that_ends_with_its_root() {
    let until = Some(NOW + 50);
    let root = RootKey { kid: ROOT, sealed_key: [].into(), scope: Some(OFFERS_ONLY.into()) };
    let club = OfferRow { root: Some(root), ..offer("club", BUY, &["gold"]) };
    for (offer, kid, part, end) in [
        (offer("buy", BUY, &["gold"]), KID, Part::Content, until),
        (club.clone(), KID, Part::Content, None),
        (club, ROOT, Part::Root, until),
    ] {
        let name = offer.name.clone();
        let mut rights = with(vec![GrantRow { until, ..grant(1, &name) }], vec![offer]);
        let settled = rights.settle(kid, Content { part, ..content(Some("gold")) }, Some(USER));
        assert_eq!((settled.until(), settled.latest), (end, until));
        // A subscription is on its own terms, whatever offer it comes with.
        let own = matches!(settled.part, Part::Root);
        assert_eq!(settled.policy.unwrap().0 == "own", own);
    }
    assert_eq!(crate::policy::parse(DATED).unwrap().until(Some(9)).end(0), Some(9));
    assert_eq!(crate::policy::parse(DATED).unwrap().until(Some(9999)).end(0), Some(3600));
    assert_eq!(crate::policy::parse(BUY).unwrap().until(None).end(0), None);
}

#[test]
fn content_that_only_offers_reach_is_had_by_a_grant_that_names_it_and_by_no_scope() {
    let closed = || content(Some(OFFERS_ONLY));
    let buy = || OfferRow { names_kids: true, ..offer("buy", BUY, &[]) };
    let named = |kid| with(vec![grant(1, "buy")], vec![buy()]).with_named(vec![("buy".to_owned(), kid)]);
    assert_eq!(settled(named(KID), closed(), Some(USER)), Ok("buy terms".to_owned()));
    assert_eq!(settled(named(ROOT), closed(), Some(USER)), Err((Reason::NotEntitled, None)));
    let forged = Rights::of(scopes(&[OFFERS_ONLY]), Vec::new(), Vec::new(), NOW);
    assert_eq!(settled(forged, closed(), Some(USER)), Err((Reason::NotEntitled, None)));
    // Who names no account is told the terms on which some account could have it.
    let told = named(KID).settle(KID, closed(), None);
    assert_eq!(told.right, Right::Refused(Reason::AccountRequired, None));
    assert_eq!(told.policy.unwrap().0, "buy terms");
}

#[test]
fn an_open_offer_needs_no_grant_and_a_grant_may_be_better() {
    let open = || OfferRow { open: true, ..offer("trial", RENT, &["gold"]) };
    let offers = || vec![open(), offer("buy", BUY, &["gold"])];
    let rights = || with(vec![grant(1, "buy")], offers());
    assert_eq!(settled(rights(), content(Some("gold")), None), Ok("trial terms".to_owned()));
    assert_eq!(settled(rights(), content(Some("gold")), Some(OTHER)), Ok("trial terms".to_owned()));
    assert_eq!(settled(rights(), content(Some("gold")), Some(USER)), Ok("buy terms".to_owned()));
    let gold = Openness::Scope("gold".to_owned());
    assert!(rights().allow_all(KID, &gold) && rights().allow_all(KID, &Openness::Open));
    assert!(!rights().allow_all(KID, &Openness::Scope("tin".to_owned())));
    assert!(rights().allow(USER, KID, &gold) && !rights().allow(OTHER, KID, &gold));
}

#[test]
fn a_license_of_a_backup_may_not_outlive_what_its_account_has_today() {
    let facts = |until| {
        let mut rights = with(vec![GrantRow { until, ..grant(1, "buy") }], vec![offer("buy", BUY, &["gold"])]);
        rights.settle(KID, content(Some("gold")), Some(USER)).latest
    };
    let endless = wmlicense_testkit::policy::policy(&[("Play", Default::default())]);
    let mut dated = endless.clone();
    dated.actions[0].1.not_after = Some(500);
    assert!(!outlives(&endless, facts(None)) && !outlives(&dated, facts(Some(2000))));
    assert!(outlives(&endless, facts(Some(2000))));
    dated.actions[0].1.not_after = Some(2001);
    assert!(outlives(&dated, facts(Some(2000))));
}

#[test]
fn what_a_grant_gives_is_news_when_it_or_its_offer_changed_or_a_time_of_it_passed() {
    let gold = Some("gold");
    let news = |grant: GrantRow, offer: OfferRow| is_news(gold, &[grant], &[offer], 100, NOW);
    assert!(!news(grant(1, "buy"), offer("buy", BUY, &["gold"])));
    assert!(news(GrantRow { changed: 101, ..grant(1, "buy") }, offer("buy", BUY, &["gold"])));
    assert!(news(grant(1, "buy"), OfferRow { changed: 101, ..offer("buy", BUY, &["gold"]) }));
    assert!(news(GrantRow { from: Some(500), ..grant(1, "buy") }, offer("buy", BUY, &["gold"])));
    assert!(!news(GrantRow { from: Some(NOW + 1), ..grant(1, "buy") }, offer("buy", BUY, &["gold"])));
    assert!(news(GrantRow { until: Some(NOW), ..grant(1, "buy") }, offer("buy", BUY, &["gold"])));
    assert!(!news(GrantRow { changed: 101, ..grant(1, "buy") }, offer("buy", BUY, &["tin"])));
}

#[test]
fn a_page_has_content_on_the_best_terms_that_pages_may_have() {
    const PAGES: &str = r#"{"priority":-1,"clearKey":true}"#;
    let offers = || vec![offer("buy", BUY, &["gold"]), offer("pages", PAGES, &["gold"])];
    let had = |grants: Vec<GrantRow>, id: [u8; 16]| {
        let rights = with(grants, offers()).on_device(DeviceId::new(id), Vec::new(), Vec::new());
        settled(rights, content(Some("gold")), Some(USER)).unwrap()
    };
    let (device, page) = ([7; 16], *b"page000000000000");
    let both = || vec![grant(1, "buy"), grant(2, "pages")];
    assert_eq!((had(both(), device).as_str(), had(both(), page).as_str()), ("buy terms", "pages terms"));
    // What counts is nothing for pages.
    let counted = || vec![grant(1, "buy"), GrantRow { uses: Some(5), ..grant(2, "pages") }];
    assert_eq!(had(counted(), page), "buy terms");
    assert_eq!(had(vec![grant(1, "buy")], page), "buy terms", "so that it hears why it may not");
}
