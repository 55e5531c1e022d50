//! Stores: one state of the chain, one plan.

use super::table::{data, names};
use super::*;
use crate::{Call, Cause, Part, Plan, WantedEntry, plan};
use alloy::primitives::U256;
use alloy::sol_types::SolCall;
use publisher_bindings::{AggregatorProxy, FeedFacade, FeedStore};

const FACADE: Address = address!("0000000000000000000000000000000000000d01");

fn numbered(number: u16) -> WantedFeed {
    WantedFeed { entry: Some(WantedEntry { store: MAIN.to_owned(), number }), ..wanted_feed() }
}

/// Feeds of one store, by name and number.
fn wanting(feeds: &[(&str, u16)]) -> Wanted {
    let feeds = feeds.iter().map(|(name, number)| (FeedId::new(name), numbered(*number))).collect();
    Wanted { deployer: DEPLOYER, feeds, stores: [(MAIN.to_owned(), wanted_store())].into() }
}

/// A chain with this store, and for each wanted feed these two contracts.
fn finding(
    wanted: &Wanted,
    store: Site<StoreState>,
    (facade, proxy): (Site<AggregatorState>, Site<ProxyState>),
) -> Observed {
    let look = |id: &FeedId| (id.clone(), ObservedFeed { aggregator: facade.clone(), proxy: proxy.clone() });
    let feeds = wanted.feeds.keys().map(look).collect();
    Observed { time: Wall::from_s(NOW_S), feeds, stores: [(MAIN.to_owned(), store)].into() }
}

fn bare() -> (Site<AggregatorState>, Site<ProxyState>) {
    (Site::Nowhere, Site::Nowhere)
}

fn causes(plan: &Plan) -> Vec<(&str, Part, Cause)> {
    assert!(plan.next().is_none(), "a plan with a conflict is not to be carried out");
    plan.conflicts.iter().map(|c| (c.subject.as_str(), c.part, c.cause)).collect()
}

#[test]
fn a_bare_chain_gets_a_store_then_its_feeds_by_number_then_facades_and_proxies() {
    let wanted = wanting(&[("A", 1), ("B", 0)]);
    let plan = plan(&wanted, &finding(&wanted, Site::Nowhere, bare()));
    assert_eq!(plan.conflicts, []);
    let expected = [
        "deploy-store:main",
        "add-feed:B?",
        "add-feed:A?",
        "deploy-facade:A?",
        "deploy-proxy:A?",
        "deploy-facade:B?",
        "deploy-proxy:B?",
    ];
    assert_eq!(names(&plan), expected);
    let waits = |step: usize| match &plan.steps[step].call {
        Call::Waits { until, on_step: true } => until.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (waits(1), waits(2), waits(3)),
        ("deploy-store:main".into(), "add-feed:B".into(), "add-feed:A".into())
    );
    let (to, data) = data(&plan, 0);
    let made: FeedStore::constructorCall = arguments(&FeedStore::BYTECODE, &data).unwrap();
    assert_eq!((to, made.owner_, made.transmitter), (None, DEPLOYER, TRANSMITTER));
    assert_eq!(made.maxAgeSeconds_, WantedStore::DEFAULT_MAX_AGE_S);
}

/// Without this a feed that is configured later would mean a second store, or the numbers of others.
#[test]
fn a_feed_that_comes_later_is_all_that_is_added() {
    let mut wanted = wanting(&[("A", 0), ("B", 1)]);
    let there = ours(STORE, store(&[aggregator()]));
    let mut found = finding(&wanted, there, bare());
    let first = ObservedFeed { aggregator: ours(FACADE, aggregator()), proxy: ours(PROXY, proxy(FACADE)) };
    found.feeds.insert(FeedId::new("A"), first);
    let plan_ = plan(&wanted, &found);
    assert_eq!(plan_.conflicts, []);
    assert_eq!(names(&plan_), ["add-feed:B", "deploy-facade:B?", "deploy-proxy:B?"]);
    let call = FeedStore::addFeedCall {
        decimals: 8,
        description: "ETH / USD".to_owned(),
        minAnswer: answer(1).value(),
        maxAnswer: answer(1_000_000).value(),
    };
    assert_eq!(data(&plan_, 0), (Some(STORE), call.abi_encode()));
    // Once it is there, its facade can be made, and then the proxy.
    found.stores.insert(MAIN.to_owned(), ours(STORE, store(&[aggregator(), unwritten()])));
    let plan_ = plan(&wanted, &found);
    assert_eq!(names(&plan_), ["deploy-facade:B", "deploy-proxy:B?"]);
    let (_, init) = data(&plan_, 0);
    let made: FeedFacade::constructorCall = arguments(&FeedFacade::BYTECODE, &init).unwrap();
    assert_eq!((made.store_, made.feedId_), (STORE, U256::ONE));
    let second = ObservedFeed { aggregator: ours(OLD, unwritten()), proxy: Site::Nowhere };
    found.feeds.insert(FeedId::new("B"), second);
    let (_, init) = data(&plan(&wanted, &found), 0);
    let made: AggregatorProxy::constructorCall = arguments(&AggregatorProxy::BYTECODE, &init).unwrap();
    assert_eq!((made.first, made.owner_), (OLD, DEPLOYER));
    // Consumers who read the facade itself need no proxy.
    let feed = wanted.feeds.get_mut(&FeedId::new("B")).unwrap();
    (feed.aggregator, feed.proxy) = (Some(OLD), Some(OLD));
    assert!(plan(&wanted, &found).is_empty());
}

/// Without this a feed would be written under the number of another one.
#[test]
fn a_number_that_the_store_would_not_give_is_refused() {
    for (number, there, next) in [(1, Site::Nowhere, 0), (7, ours(STORE, store(&[aggregator()])), 1)] {
        let wanted = wanting(&[("A", number)]);
        let plan = plan(&wanted, &finding(&wanted, there, bare()));
        assert_eq!(causes(&plan), [("A", Part::Store, Cause::Number)]);
        assert!(plan.conflicts[0].hint.contains(&format!("store_id = {next}")), "{plan}");
    }
    // Whoever has the number already is somebody else.
    let wanted = wanting(&[("A", 0)]);
    let other = AggregatorState { description: "BTC / USD".to_owned(), ..aggregator() };
    let plan = plan(&wanted, &finding(&wanted, ours(STORE, store(&[other])), bare()));
    assert_eq!(causes(&plan), [("A", Part::Store, Cause::Description)]);
    assert_eq!(plan.steps, []);
}

#[test]
fn a_store_is_granted_compared_and_never_replaced_in_silence() {
    let wanted = wanting(&[("A", 0)]);
    let full = || (ours(FACADE, aggregator()), ours(PROXY, proxy(FACADE)));
    let with = |state| finding(&wanted, ours(STORE, state), full());
    assert!(plan(&wanted, &with(store(&[aggregator()]))).is_empty());
    let unauthorised = StoreState { authorised: false, ..store(&[aggregator()]) };
    let plan_ = plan(&wanted, &with(unauthorised));
    assert_eq!(names(&plan_), ["grant-store:main"]);
    let call = FeedStore::setTransmitterCall { transmitter: TRANSMITTER, authorised: true };
    assert_eq!(data(&plan_, 0), (Some(STORE), call.abi_encode()));
    let mut demanding = wanted.clone();
    demanding.stores.get_mut(MAIN).unwrap().max_age_s = Some(60);
    let plan_ = plan(&demanding, &with(store(&[aggregator()])));
    assert_eq!(causes(&plan_), [(MAIN, Part::Store, Cause::MaxAge)]);
    let says = Some("FluxAggregator 3".to_owned());
    for (site, cause) in [
        (Site::Empty { address: STORE }, Cause::NoCode),
        (Site::Foreign { address: STORE, says }, Cause::Foreign),
    ] {
        let plan_ = plan(&wanted, &finding(&wanted, site, bare()));
        assert_eq!(causes(&plan_), [(MAIN, Part::Store, cause)]);
        assert_eq!(plan_.steps, []);
    }
    // What only the owner can do, the deployer is not offered to do.
    let mut theirs = wanted.clone();
    theirs.stores.get_mut(MAIN).unwrap().owner = STRANGER;
    let state = StoreState { owner: STRANGER, authorised: false, ..store(&[]) };
    let plan_ = plan(&theirs, &finding(&theirs, ours(STORE, state), bare()));
    let expected = [(MAIN, Part::Store, Cause::NotOwner), ("A", Part::Store, Cause::NotOwner)];
    assert_eq!(causes(&plan_), expected);
    assert!(plan_.conflicts[1].hint.contains("addFeed(8, \"ETH / USD\", 1, 1000000)"), "{plan_}");
}

/// Without this consumers of a feed that moves into a store would read the old contract for ever, or nothing.
#[test]
fn a_proxy_over_an_aggregator_is_led_to_the_facade() {
    let wanted = wanting(&[("A", 0)]);
    let sites = |rounds| {
        let state = AggregatorState { round: rounds, ..aggregator() };
        finding(
            &wanted,
            ours(STORE, store(std::slice::from_ref(&state))),
            (ours(FACADE, state), ours(PROXY, proxy(OLD))),
        )
    };
    let plan = plan(&wanted, &sites(3));
    assert_eq!(names(&plan), ["propose:A", "confirm:A?"]);
    let call = AggregatorProxy::proposeAggregatorCall { proposed: FACADE };
    assert_eq!(data(&plan, 0), (Some(PROXY), call.abi_encode()));
}

#[test]
fn a_facade_of_something_else_is_no_facade() {
    let wanted = wanting(&[("A", 0)]);
    let site = Site::Foreign { address: FACADE, says: Some("FeedFacade 1.0.0 of feed 3".to_owned()) };
    let found = finding(&wanted, ours(STORE, store(&[aggregator()])), (site, Site::Nowhere));
    assert_eq!(causes(&plan(&wanted, &found)), [("A", Part::Facade, Cause::Foreign)]);
    // Where the proxy should be, it is welcome if it is said to be the facade.
    let site = Site::Foreign { address: FACADE, says: Some("FeedFacade 1.0.0".to_owned()) };
    let found = finding(&wanted, ours(STORE, store(&[aggregator()])), (ours(OLD, aggregator()), site));
    let plan = plan(&wanted, &found);
    assert_eq!(causes(&plan), [("A", Part::Proxy, Cause::Foreign)]);
    assert!(plan.conflicts[0].hint.contains("as the feed's facade too"), "{plan}");
}

#[test]
fn an_impossible_store_is_refused_before_the_chain_refuses_it() {
    let wishes: [fn(&mut WantedStore); 3] =
        [|s| s.owner = Address::ZERO, |s| s.transmitter = Address::ZERO, |s| s.max_age_s = Some(0)];
    for wish in wishes {
        let mut wanted = wanting(&[]);
        wish(wanted.stores.get_mut(MAIN).unwrap());
        let plan = plan(&wanted, &finding(&wanted, Site::Nowhere, bare()));
        assert_eq!(causes(&plan), [(MAIN, Part::Store, Cause::Impossible)]);
    }
    // A report has 64 bits for an answer.
    let mut wanted = wanting(&[("A", 0)]);
    let wide = Answer::new(I256::try_from(i64::MAX).unwrap() + I256::ONE);
    wanted.feeds.values_mut().for_each(|feed| feed.max_answer = wide);
    let plan_ = plan(&wanted, &finding(&wanted, Site::Nowhere, bare()));
    assert_eq!(causes(&plan_), [("A", Part::Facade, Cause::Impossible)]);
    let mut elsewhere = wanting(&[]);
    elsewhere.stores.get_mut(MAIN).unwrap().address = Some(STORE);
    let plan_ = plan(&elsewhere, &finding(&elsewhere, Site::Nowhere, bare()));
    assert_eq!(causes(&plan_), [(MAIN, Part::Store, Cause::NotObserved)]);
}
