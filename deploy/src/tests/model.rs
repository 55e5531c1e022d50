//! Following the plan on a model of the chain leads to an empty plan, from wherever it starts.

use super::*;
use crate::{Call, Part, Plan, Proposal, StoreState, WantedEntry, WantedStore, plan};
use alloy::primitives::Bytes;
use alloy::sol_types::SolInterface;
use proptest::prelude::*;
use publisher_bindings::Aggregator::{self, AggregatorCalls};
use publisher_bindings::AggregatorProxy::{self, AggregatorProxyCalls};
use publisher_bindings::FeedFacade;
use publisher_bindings::FeedStore::{self, FeedStoreCalls};

/// The contracts of a chain, run by their calldata as the real ones are.
#[derive(Clone, Debug, Default)]
struct Chain {
    aggregators: BTreeMap<Address, AggregatorState>,
    stores: BTreeMap<Address, StoreState>,
    /// Which feed of which store a facade shows.
    facades: BTreeMap<Address, (Address, u16)>,
    proxies: BTreeMap<Address, ProxyState>,
    nonce: u64,
}

impl Chain {
    /// Carries out a step of the deployer's; the address of what it created.
    fn execute(&mut self, to: Option<Address>, data: &Bytes) -> Option<Address> {
        self.nonce += 1;
        match to {
            None => Some(self.create(data)),
            Some(to) if self.aggregators.contains_key(&to) => {
                self.call_aggregator(to, data);
                None
            }
            Some(to) if self.stores.contains_key(&to) => {
                self.call_store(to, data);
                None
            }
            Some(to) => {
                self.call_proxy(to, data);
                None
            }
        }
    }

    fn create(&mut self, data: &Bytes) -> Address {
        let address = DEPLOYER.create(self.nonce);
        if let Some(made) = arguments::<Aggregator::constructorCall>(&Aggregator::BYTECODE, data) {
            assert_eq!(made.transmitter, TRANSMITTER);
            let state = AggregatorState {
                decimals: made.decimals_,
                description: made.description_,
                min_answer: Answer::new(made.minAnswer_),
                max_answer: Answer::new(made.maxAnswer_),
                owner: made.owner_,
                authorised: true,
                paused: false,
                round: 0,
                answer: Answer::default(),
                updated_at: Wall::default(),
            };
            self.aggregators.insert(address, state);
        } else if let Some(made) = arguments::<FeedStore::constructorCall>(&FeedStore::BYTECODE, data) {
            assert_eq!(made.transmitter, TRANSMITTER);
            let (max_age_s, owner) = (made.maxAgeSeconds_, made.owner_);
            self.stores.insert(address, StoreState { max_age_s, owner, ..store(&[]) });
        } else if let Some(made) = arguments::<FeedFacade::constructorCall>(&FeedFacade::BYTECODE, data) {
            let number = made.feedId_.to();
            assert!(self.stores[&made.store_].entries.contains_key(&number), "UnknownFeed");
            self.facades.insert(address, (made.store_, number));
        } else {
            let made: AggregatorProxy::constructorCall = arguments(&AggregatorProxy::BYTECODE, data).unwrap();
            let first = self.source(made.first);
            let state = ProxyState {
                decimals: first.decimals,
                owner: made.owner_,
                aggregator: made.first,
                phase: 1,
                proposal: None,
                answer: None,
            };
            self.proxies.insert(address, state);
        }
        address
    }

    fn call_aggregator(&mut self, to: Address, data: &Bytes) {
        let state = self.aggregators.get_mut(&to).unwrap();
        assert_eq!(state.owner, DEPLOYER, "only callable by owner");
        match AggregatorCalls::abi_decode_validate(data).unwrap() {
            AggregatorCalls::setTransmitter(call) => {
                assert_eq!(call.transmitter, TRANSMITTER);
                state.authorised = call.authorised;
            }
            _ => panic!("not a step of a rollout"),
        }
    }

    fn call_store(&mut self, to: Address, data: &Bytes) {
        let state = self.stores.get_mut(&to).unwrap();
        assert_eq!(state.owner, DEPLOYER, "only callable by owner");
        match FeedStoreCalls::abi_decode_validate(data).unwrap() {
            FeedStoreCalls::setTransmitter(call) => {
                assert_eq!(call.transmitter, TRANSMITTER);
                state.authorised = call.authorised;
            }
            FeedStoreCalls::addFeed(call) => {
                let added = AggregatorState {
                    decimals: call.decimals,
                    description: call.description,
                    min_answer: Answer::new(call.minAnswer),
                    max_answer: Answer::new(call.maxAnswer),
                    ..unwritten()
                };
                state.entries.insert(u16::try_from(state.feeds).unwrap(), added);
                state.feeds += 1;
            }
            _ => panic!("not a step of a rollout"),
        }
    }

    /// What a proxy reads: an aggregator, or a facade.
    fn source(&self, address: Address) -> &AggregatorState {
        match self.facades.get(&address) {
            Some((store, number)) => &self.stores[store].entries[number],
            None => &self.aggregators[&address],
        }
    }

    fn call_proxy(&mut self, to: Address, data: &Bytes) {
        let present = self.answer_of(to);
        let mut state = self.proxies[&to].clone();
        assert_eq!(state.owner, DEPLOYER, "only callable by owner");
        match AggregatorProxyCalls::abi_decode_validate(data).unwrap() {
            AggregatorProxyCalls::proposeAggregator(call) => {
                let bounds = (86_400, 1000);
                let (aggregator, max_age_s, max_deviation_bps) = (call.proposed, bounds.0, bounds.1);
                state.proposal = Some(Proposal { aggregator, max_age_s, max_deviation_bps });
            }
            AggregatorProxyCalls::proposeAggregatorWithBounds(call) => {
                state.proposal = Some(Proposal {
                    aggregator: call.proposed,
                    max_age_s: call.maxAgeSeconds,
                    max_deviation_bps: call.maxDeviationBps,
                });
            }
            AggregatorProxyCalls::confirmAggregator(call) => {
                let proposal = state.proposal.take().expect("No proposed aggregator present");
                assert_eq!(proposal.aggregator, call.proposed, "Invalid proposed aggregator");
                let next = self.source(call.proposed);
                assert!(next.round >= 3, "TooFewRounds");
                assert_eq!(next.decimals, state.decimals, "DecimalsDiffer");
                assert!(
                    proposal.max_deviation_bps == u32::MAX || present == Some(next.answer),
                    "AnswerTooFar or No data present"
                );
                state.aggregator = call.proposed;
                state.phase += 1;
            }
            _ => panic!("not a step of a rollout"),
        }
        self.proxies.insert(to, state);
    }

    /// What consumers read through a proxy.
    fn answer_of(&self, proxy: Address) -> Option<Answer> {
        let source = self.source(self.proxies[&proxy].aggregator);
        (source.round > 0).then_some(source.answer)
    }

    /// A publisher writes a round to every feed that lets it.
    fn publish(&mut self) {
        let stored = self.stores.values_mut().filter(|store| store.authorised);
        let stored = stored.flat_map(|store| store.entries.values_mut());
        for state in self.aggregators.values_mut().filter(|state| state.authorised).chain(stored) {
            state.round += 1;
            state.answer = answer(1000);
            state.updated_at = Wall::from_s(NOW_S);
        }
    }

    fn observe(&self, wanted: &Wanted) -> Observed {
        let look = |feed: &WantedFeed| ObservedFeed {
            aggregator: feed.aggregator.map_or(Site::Nowhere, |at| ours(at, self.source(at).clone())),
            proxy: feed.proxy.map_or(Site::Nowhere, |at| {
                ours(at, ProxyState { answer: self.answer_of(at), ..self.proxies[&at].clone() })
            }),
        };
        let feeds = wanted.feeds.iter().map(|(id, feed)| (id.clone(), look(feed))).collect();
        let look = |store: &WantedStore| {
            store.address.map_or(Site::Nowhere, |at| ours(at, self.stores[&at].clone()))
        };
        let stores = wanted.stores.iter().map(|(name, store)| (name.clone(), look(store))).collect();
        Observed { time: Wall::from_s(NOW_S), feeds, stores }
    }
}

/// How far one feed's rollout has come when the test begins.
#[derive(Clone, Debug)]
struct Start {
    /// Its aggregator, or its facade: whether it may be written, and its rounds.
    aggregator: Option<(bool, u64)>,
    proxy: Option<Reader>,
    /// It is in a store.
    stored: bool,
}

/// How far the store's rollout has come when the test begins: whether it is there and may be written.
type StoreStart = Option<bool>;

/// A proxy when the test begins.
#[derive(Clone, Copy, Debug)]
struct Reader {
    /// It reads the feed's own aggregator, if there is one.
    own: bool,
    /// The other aggregator has rounds.
    rounds: bool,
    /// A proposal: whether of the own aggregator, and whether without a comparison.
    proposal: Option<(bool, bool)>,
}

fn start() -> impl Strategy<Value = Start> {
    let aggregator = proptest::option::of((any::<bool>(), 0u64..5));
    let proposal = proptest::option::of((any::<bool>(), any::<bool>()));
    let reader = (any::<bool>(), any::<bool>(), proposal);
    let reader = reader.prop_map(|(own, rounds, proposal)| Reader { own, rounds, proposal });
    let parts = (aggregator, proptest::option::of(reader), any::<bool>());
    parts.prop_map(|(aggregator, proxy, stored)| Start { aggregator, proxy, stored })
}

/// Puts the starts on a chain. What a store has not been given yet comes after what it has.
fn build(starts: &[Start], there: StoreStart) -> (Wanted, Chain) {
    let mut chain = Chain::default();
    let mut wanted = Wanted { deployer: DEPLOYER, feeds: BTreeMap::new(), stores: BTreeMap::new() };
    let mut starts = starts.to_vec();
    starts.sort_by_key(|start| start.aggregator.is_none());
    let mut number = 0;
    for (start, index) in starts.iter().zip(0u8..) {
        let [own, other, reader] = [1, 2, 3].map(|kind| Address::with_last_byte(index * 8 + kind));
        let mut feed = wanted_feed();
        let with_rounds = |round| {
            let answer = if round == 0 { Answer::default() } else { answer(1000) };
            AggregatorState { round, answer, ..aggregator() }
        };
        let is_there = start.aggregator.filter(|_| !start.stored || there.is_some());
        if start.stored {
            feed.entry = Some(WantedEntry { store: MAIN.to_owned(), number });
            wanted
                .stores
                .insert(MAIN.to_owned(), WantedStore { address: there.map(|_| STORE), ..wanted_store() });
            let authorised = there.unwrap_or_default();
            let state = StoreState { authorised, ..store(&[]) };
            let state = chain.stores.entry(STORE).or_insert(state);
            if let Some((_, round)) = is_there {
                state.entries.insert(number, with_rounds(round));
                state.feeds += 1;
                chain.facades.insert(own, (STORE, number));
                feed.aggregator = Some(own);
            }
            number += 1;
        } else if let Some((authorised, round)) = is_there {
            chain.aggregators.insert(own, AggregatorState { authorised, ..with_rounds(round) });
            feed.aggregator = Some(own);
        }
        if let Some(Reader { own: same, rounds, proposal }) = start.proxy {
            let same = same && is_there.is_some();
            let dead = AggregatorState { authorised: false, ..with_rounds(u64::from(rounds) * 3) };
            chain.aggregators.insert(other, dead);
            let proposal = proposal.map(|(right, free)| Proposal {
                aggregator: if right { own } else { STRANGER },
                max_age_s: 86_400,
                max_deviation_bps: if free { Proposal::NO_COMPARISON } else { 1000 },
            });
            let state = ProxyState { proposal, ..proxy(if same { own } else { other }) };
            chain.proxies.insert(reader, state);
            feed.proxy = Some(reader);
        }
        wanted.feeds.insert(FeedId::new(&format!("FEED-{index}")), feed);
    }
    (wanted, chain)
}

/// Follows the plan to its end and returns the steps that were taken.
fn follow(wanted: &mut Wanted, chain: &mut Chain) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let plan = plan(wanted, &chain.observe(wanted));
        assert_eq!(plan.conflicts, []);
        if plan.is_empty() {
            return taken;
        }
        assert!(taken.len() < 100, "it does not end: {taken:?}");
        let Some((step, to, data)) = plan.next() else {
            let by_itself = plan.steps.iter().any(|s| matches!(&s.call, Call::Waits { on_step: false, .. }));
            assert!(by_itself, "steps that only wait for each other: {plan}");
            taken.push("wait".to_owned());
            chain.publish();
            continue;
        };
        let created = chain.execute(to, data);
        let feed = wanted.feeds.get_mut(&FeedId::new(&step.subject));
        let place = match step.action.creates() {
            Some(Part::Aggregator | Part::Facade) => Some(&mut feed.unwrap().aggregator),
            Some(Part::Proxy) => Some(&mut feed.unwrap().proxy),
            Some(Part::Store) => Some(&mut wanted.stores.get_mut(&step.subject).unwrap().address),
            None => None,
        };
        match place {
            Some(place) => assert!(place.replace(created.unwrap()).is_none()),
            None => assert_eq!(created, None),
        }
        taken.push(step.name.clone());
    }
}

proptest! {
    #[test]
    fn from_anywhere_to_nothing_left_to_do(
        starts in proptest::collection::vec(start(), 1..5),
        there in proptest::option::of(any::<bool>()),
    ) {
        let (mut wanted, mut chain) = build(&starts, there);
        let taken = follow(&mut wanted, &mut chain);
        // Each feed's consumers read what its publisher writes.
        for feed in wanted.feeds.values() {
            let state = &chain.proxies[&feed.proxy.unwrap()];
            prop_assert_eq!(Some(state.aggregator), feed.aggregator);
            let written = match &feed.entry {
                None => chain.aggregators[&state.aggregator].authorised,
                Some(WantedEntry { store, number }) => {
                    let store = wanted.stores[store].address.unwrap();
                    chain.facades[&state.aggregator] == (store, *number) && chain.stores[&store].authorised
                }
            };
            prop_assert!(written);
        }
        // No step is ever taken twice, and afterwards there is nothing left to do.
        let mut steps: Vec<_> = taken.iter().filter(|name| *name != "wait").collect();
        steps.sort_unstable();
        let before = steps.len();
        steps.dedup();
        prop_assert_eq!(steps.len(), before);
        prop_assert!(plan(&wanted, &chain.observe(&wanted)).is_empty());
        prop_assert!(follow(&mut wanted, &mut chain).is_empty());
    }

    /// Who is not the owner either needs nothing or is told what the owner has to do, and sends nothing to it.
    #[test]
    fn a_stranger_changes_nothing_that_exists(
        start in start(),
        there in proptest::option::of(any::<bool>()),
    ) {
        let (mut wanted, mut chain) = build(&[start], there);
        let untouched = plan(&wanted, &chain.observe(&wanted));
        chain.aggregators.values_mut().for_each(|a| a.owner = STRANGER);
        chain.proxies.values_mut().for_each(|p| p.owner = STRANGER);
        wanted.feeds.values_mut().for_each(|f| f.owner = STRANGER);
        chain.stores.values_mut().for_each(|s| s.owner = STRANGER);
        wanted.stores.values_mut().for_each(|s| s.owner = STRANGER);
        let plan = plan(&wanted, &chain.observe(&wanted));
        let touches = |p: &Plan| p.steps.iter().any(|s| s.action.creates().is_none());
        prop_assert!(!touches(&plan));
        prop_assert_eq!(!plan.conflicts.is_empty(), touches(&untouched));
    }
}
