//! What venues say they list, for verbs that ask them.

use crate::sources::{Entry, Listed};
use publisher_core::book::Book;
use publisher_core::quote::Listing;
use std::collections::BTreeMap;

/// What venues say of the markets that somebody looks at.
#[derive(Default)]
pub(super) struct Lists {
    /// What is said of the markets that do not trade.
    pub(super) out: BTreeMap<String, Out>,
    /// Why a venue's list says nothing.
    pub(super) unusable: BTreeMap<String, String>,
}

/// What a list says of a market that does not trade.
#[derive(Clone)]
pub(super) struct Out {
    pub(super) listing: Listing,
    /// What the venue calls it.
    pub(super) words: Option<String>,
    /// It counts once another list has said it, too.
    waits: bool,
}

impl Lists {
    /// Takes the word of the one list that was asked for.
    pub(super) fn take(&mut self, book: &mut Book, venue: String, said: Result<Vec<Entry>, String>) {
        match said {
            Ok(entries) => entries.into_iter().for_each(|entry| {
                let counts = entry.listing;
                self.put(book, entry, counts);
            }),
            Err(why) => drop(self.unusable.insert(venue, why)),
        }
    }

    /// Follows a venue's lists as the daemon does: what one says counts once another has said it, too.
    pub(super) fn follow(&mut self, book: &mut Book, venue: String, listed: Listed) {
        match listed.fault {
            Some((_, why)) => drop(self.unusable.insert(venue, why)),
            None => {
                self.unusable.remove(&venue);
                for (entry, (_, counts)) in listed.entries.into_iter().zip(listed.markets) {
                    self.put(book, entry, counts);
                }
            }
        }
    }

    fn put(&mut self, book: &mut Book, entry: Entry, counts: Listing) {
        let Entry { market, listing, words } = entry;
        book.list(&market, counts).for_each(drop);
        let waits = counts == Listing::Trading;
        match listing {
            Listing::Trading => drop(self.out.remove(&market.to_string())),
            _ => drop(self.out.insert(market.to_string(), Out { listing, words, waits })),
        }
    }
}

impl Out {
    /// For people.
    pub(super) fn in_words(&self) -> String {
        let waits = if self.waits { "; that counts once its next list says so, too" } else { "" };
        format!("{}{waits}", in_words(self.listing, self.words.as_deref()))
    }
}

/// What a venue's list says of a market that does not trade.
pub(super) fn in_words(listing: Listing, words: Option<&str>) -> String {
    match (listing, words) {
        (Listing::Trading, _) => "its venue's list has it".to_owned(),
        (Listing::Gone, _) => "its venue's list has it no more".to_owned(),
        (Listing::Halted, None) => "its venue's list has it as halted".to_owned(),
        (Listing::Halted, Some(words)) => format!("its venue's list has it as halted: {words:?}"),
    }
}
