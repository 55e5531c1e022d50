use super::page::beside_itself;
use super::*;
use alloy::primitives::{address, b256};
use publisher_core::quote::FeedId;
use std::fs;
use tempfile::TempDir;

const CHAIN: u64 = 31_337;
const GENESIS: B256 = b256!("00000000000000000000000000000000000000000000000000000000000000aa");
const ACCOUNT: Address = address!("00000000000000000000000000000000000000d0");
const THERE: Address = address!("0000000000000000000000000000000000000a01");

const FEED: &str = "ETH-USD";

fn pending(nonce: u64) -> Pending {
    Pending { subject: FEED.to_owned(), part: Part::Aggregator, account: ACCOUNT, nonce }
}

/// A folder and the path of a book in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = AddressBook::beside(&folder.path().join("feeds.toml"));
    (folder, file.path)
}

fn open_as(path: &Path, chain_id: u64, genesis: B256) -> Result<AddressBook, AddressBookError> {
    AddressFile { path: path.to_owned() }.open(chain_id, genesis)
}

fn open(path: &Path) -> AddressBook {
    open_as(path, CHAIN, GENESIS).unwrap()
}

fn refusal(path: &Path) -> AddressBookError {
    open_as(path, CHAIN, GENESIS).unwrap_err()
}

#[test]
fn it_lies_beside_its_configuration() {
    for (config, book) in [
        ("feeds.toml", "feeds.addresses.json"),
        ("/etc/publisher/main.toml", "/etc/publisher/main.addresses.json"),
        ("a.b.toml", "a.b.addresses.json"),
        ("plain", "plain.addresses.json"),
    ] {
        assert_eq!(AddressBook::beside(Path::new(config)).path(), Path::new(book));
    }
}

#[test]
fn a_missing_file_is_an_empty_book_and_stays_missing_until_there_is_something_to_write() {
    let (_folder, path) = place();
    let mut book = open(&path);
    assert_eq!(book.known(FEED, Part::Aggregator), None);
    assert_eq!(book.pending(), []);
    book.give_up(FEED, Part::Aggregator).unwrap();
    assert!(!path.exists());
    book.expect(&pending(0)).unwrap();
    assert!(path.exists());
}

#[test]
fn a_creation_is_noted_then_settled() {
    let (_folder, path) = place();
    let mut book = open(&path);
    book.expect(&pending(7)).unwrap();
    let mut book = open(&path);
    assert_eq!(book.pending(), [pending(7)]);
    assert_eq!(book.known(FEED, Part::Aggregator), None, "on its way is not there");
    // Planned with another nonce after all: one note, not two.
    book.expect(&pending(8)).unwrap();
    assert_eq!(open(&path).pending(), [pending(8)]);
    book.settle(FEED, Part::Aggregator, pending(8).address()).unwrap();
    let mut book = open(&path);
    assert_eq!(book.pending(), []);
    assert_eq!(book.known(FEED, Part::Aggregator), Some(ACCOUNT.create(8)));
    assert_eq!(book.known(FEED, Part::Proxy), None);
    // It is there: a second creation of it is a defect.
    let error = book.expect(&pending(9)).unwrap_err();
    assert!(matches!(&error, AddressBookError::Known { address, .. } if *address == ACCOUNT.create(8)));
    assert_eq!(open(&path).pending(), []);
}

#[test]
fn the_two_contracts_of_a_feed_are_apart() {
    let (_folder, path) = place();
    let mut book = open(&path);
    let proxy = Pending { part: Part::Proxy, ..pending(1) };
    book.expect(&pending(0)).unwrap();
    book.expect(&proxy).unwrap();
    book.give_up(FEED, Part::Aggregator).unwrap();
    assert_eq!(open(&path).pending().as_slice(), std::slice::from_ref(&proxy));
    book.settle(FEED, Part::Proxy, proxy.address()).unwrap();
    book.settle(FEED, Part::Aggregator, THERE).unwrap();
    book.forget(FEED, Part::Aggregator).unwrap();
    let book = open(&path);
    assert_eq!(book.known(FEED, Part::Aggregator), None);
    assert_eq!(book.known(FEED, Part::Proxy), Some(proxy.address()));
}

/// The form is read by people and other programs.
#[test]
fn the_file_is_what_the_documentation_says() {
    let (_folder, path) = place();
    let mut book = open(&path);
    book.settle(FEED, Part::Aggregator, THERE).unwrap();
    book.expect(&Pending { part: Part::Proxy, ..pending(3) }).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "chain_id": 31337,
        "genesis": GENESIS,
        "feeds": { "ETH-USD": { "aggregator": THERE } },
        "pending": [{
            "subject": "ETH-USD", "part": "proxy", "account": ACCOUNT, "nonce": 3, "address": ACCOUNT.create(3),
        }],
    });
    assert_eq!(value, expected);
    assert!(text.ends_with("}\n"));
}

#[test]
fn another_chain_is_refused() {
    let (_folder, path) = place();
    open(&path).settle(FEED, Part::Proxy, THERE).unwrap();
    let before = fs::read(&path).unwrap();
    for (id, genesis) in [(CHAIN + 1, GENESIS), (CHAIN, B256::ZERO)] {
        let error = open_as(&path, id, genesis).unwrap_err();
        assert!(matches!(error, AddressBookError::OtherChain { .. }), "{error}");
        assert!(error.to_string().contains(&GENESIS.to_string()) && error.to_string().contains("31337"));
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_no_book_is_refused_and_kept() {
    let (_folder, path) = place();
    let book = |rest: &str| format!(r#"{{"version": 1, "chain_id": 31337, "genesis": "{GENESIS}"{rest}}}"#);
    let texts = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"version": 1}"#.to_owned(),
        book(r#", "extra": 1"#),
        book(r#", "feeds": {"ETH-USD": {"agregator": null}}"#),
        book(r#", "feeds": {"ETH-USD": {"aggregator": "0x12"}}"#),
        // Cut off, as a copy that was interrupted.
        book("")[..40].to_owned(),
        // An address that the nonce does not give.
        book(&format!(
            r#", "pending": [{{"subject": "ETH-USD", "part": "proxy", "account": "{ACCOUNT}", "nonce": 3, "address": "{THERE}"}}]"#
        )),
        format!("{}{}", book(""), " ".repeat(1 << 20)),
    ];
    for text in texts {
        fs::write(&path, &text).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, AddressBookError::Corrupt { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a refused file is left as it is");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(refusal(&path), AddressBookError::Corrupt { .. }));
    fs::write(&path, book("")).unwrap();
    open(&path);
}

#[test]
fn a_newer_book_is_refused_whatever_else_it_says() {
    let (_folder, path) = place();
    fs::write(&path, r#"{"version": 2, "chains": []}"#).unwrap();
    assert!(matches!(refusal(&path), AddressBookError::Version { found: 2, .. }));
}

/// A process that was killed while it wrote leaves the half-written copy beside the book, never in its place.
#[test]
fn a_half_written_copy_does_no_harm() {
    let (_folder, path) = place();
    let mut book = open(&path);
    book.settle(FEED, Part::Proxy, THERE).unwrap();
    fs::write(beside_itself(&path), "{\"version\": 1, \"cha").unwrap();
    let mut book = open(&path);
    assert_eq!(book.known(FEED, Part::Proxy), Some(THERE));
    book.expect(&pending(0)).unwrap();
    assert_eq!(open(&path).pending(), [pending(0)]);
    assert!(!beside_itself(&path).exists());
}

/// A reader at any moment sees a whole book: the file is never written in place.
#[test]
fn readers_see_the_old_book_or_the_new_one() {
    let (_folder, path) = place();
    let mut book = open(&path);
    book.expect(&pending(0)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                let pending = open(&path).pending();
                assert_eq!(pending.len(), 1);
                seen.insert(pending[0].nonce);
            }
            seen
        });
        for nonce in 1..100 {
            book.expect(&pending(nonce)).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(!reader.join().unwrap().is_empty());
    });
    assert_eq!(open(&path).pending(), [pending(99)]);
}

/// What cannot be written is not believed either.
#[test]
fn a_failed_write_changes_nothing() {
    let (folder, path) = place();
    let mut book = open(&path);
    book.expect(&pending(0)).unwrap();
    // A folder in the copy's place: creating the copy fails for every user.
    fs::create_dir(beside_itself(&path)).unwrap();
    let error = book.expect(&pending(1)).unwrap_err();
    assert!(matches!(error, AddressBookError::Io { action: "write beside it", .. }), "{error}");
    assert_eq!(book.pending(), [pending(0)]);
    assert_eq!(open(&path).pending(), [pending(0)]);
    drop(folder);
    assert!(matches!(book.settle(FEED, Part::Proxy, THERE), Err(AddressBookError::Io { .. })));
}

fn config(text: &str) -> Config {
    let feed = r#"
        [journal]
        path = "publisher.db"
        [signer.main]
        kind = "web3signer"
        url = "http://127.0.0.1:9000"
        address = "0x00000000000000000000000000000000000000d0"
        [feed."ETH-USD"]
        decimals = 8
        min = "1"
        max = "1000000"
        sources = ["coinbase:ETH-USD", "kraken:ETHUSD", "bitstamp:ethusd"]
    "#;
    let chain = r#"[chain]
        id = 31337
        rpc = ["http://127.0.0.1:8545"]
        block_time = "1s"
        finality = "instant"
        fees = "eip1559"
        [defaults.policy]
        heartbeat = "1h"
    "#;
    Config::parse(&format!("{chain}{feed}{text}"), Path::new("feeds.toml")).unwrap()
}

/// A daemon takes what `publisher deploy` left, and from then on only the chain that it was left on.
#[test]
fn a_configuration_is_filled_in_and_never_overruled() {
    let (_folder, path) = place();
    let file = AddressFile { path: path.clone() };
    let mut empty = config("");
    file.fill(&mut empty).unwrap();
    let found = &empty.feeds[&FeedId::new(FEED)];
    assert_eq!((found.aggregator, found.proxy, empty.chain.genesis), (None, None, None), "there is no book");

    let mut book = open(&path);
    book.settle(FEED, Part::Aggregator, THERE).unwrap();
    book.expect(&Pending { part: Part::Proxy, ..pending(3) }).unwrap();
    let mut filled = config("");
    file.fill(&mut filled).unwrap();
    let found = &filled.feeds[&FeedId::new(FEED)];
    assert_eq!((found.aggregator, found.proxy), (Some(THERE), None), "on its way is not there");
    assert_eq!(filled.chain.genesis, Some(GENESIS));

    let mut configured = config("aggregator = \"0x00000000000000000000000000000000000000e1\"");
    file.fill(&mut configured).unwrap();
    let own = address!("00000000000000000000000000000000000000e1");
    assert_eq!(configured.feeds[&FeedId::new(FEED)].aggregator, Some(own));

    let mut elsewhere = config("");
    elsewhere.chain.genesis = Some(B256::ZERO);
    assert!(matches!(file.fill(&mut elsewhere), Err(AddressBookError::OtherChain { .. })));
    assert_eq!(elsewhere.feeds[&FeedId::new(FEED)].aggregator, None);
    let mut other = config("");
    other.chain.id = 1;
    assert!(matches!(file.fill(&mut other), Err(AddressBookError::OtherChain { .. })));
    fs::write(&path, "{").unwrap();
    assert!(matches!(file.fill(&mut config("")), Err(AddressBookError::Corrupt { .. })));
}

/// Without this a daemon would know the aggregators that were deployed for it and not the stores.
#[test]
fn a_store_its_feeds_and_their_facades_are_filled_in() {
    let (_folder, path) = place();
    let [store, facade, proxy, own] =
        [0xc01, 0xd01, 0xb01, 0xd02].map(|last: u16| Address::left_padding_from(&last.to_be_bytes()));
    let mut book = open(&path);
    let creation = Pending { subject: "main".to_owned(), part: Part::Store, ..pending(0) };
    book.expect(&creation).unwrap();
    assert_eq!(open(&path).pending(), [creation]);
    for (subject, part, address) in
        [("main", Part::Store, store), (FEED, Part::Facade, facade), (FEED, Part::Proxy, proxy)]
    {
        assert_eq!(book.known(subject, part), None);
        book.settle(subject, part, address).unwrap();
        assert_eq!(
            (book.known(subject, part), open(&path).known(subject, part)),
            (Some(address), Some(address))
        );
    }
    assert_eq!(book.pending(), []);
    let file = AddressFile { path: path.clone() };
    let filled = |text: &str| {
        let mut config = config(&format!("store = \"main\"\nstore_id = 0\n{text}"));
        file.fill(&mut config).unwrap();
        let feed = &config.feeds[&FeedId::new(FEED)];
        (config.stores["main"].address, feed.aggregator, feed.facade, feed.proxy)
    };
    assert_eq!(filled("[store.main]"), (Some(store), Some(store), Some(facade), Some(proxy)));
    let text = format!("facade = \"{own}\"\n[store.main]\naddress = \"{own}\"");
    assert_eq!(filled(&text), (Some(own), Some(own), Some(own), Some(proxy)));
    // An aggregator of the same feed, from before it moved, is no longer anybody's to write.
    book.settle(FEED, Part::Aggregator, THERE).unwrap();
    assert_eq!(filled("[store.main]").1, Some(store));
    book.forget("main", Part::Store).unwrap();
    assert_eq!(filled("[store.main]").1, None);
}
