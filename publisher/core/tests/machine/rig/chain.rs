//! The rig's chain: blocks, a pool with go-ethereum's rules, and the real contract's compare-and-set.

use super::*;

pub(super) fn block_hash(number: u64, fork: u64) -> B256 {
    let mut bytes = [7u8; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..16].copy_from_slice(&fork.to_be_bytes());
    B256::from(bytes)
}

impl Rig {
    /// A block with everything in the pool that can pay, in nonce order.
    pub fn mine(&mut self) {
        let parent = self.tip();
        let number = parent.number + 1;
        let head = BlockRef {
            number,
            hash: block_hash(number, self.forks),
            parent: parent.hash,
            time: self.wall(0),
        };
        self.blocks.push(Block { head, txs: Vec::new() });
        let accounts: BTreeSet<Address> = self.pool.keys().map(|(account, _)| *account).collect();
        let is_taken = |account: &Address| !self.crowded || *account != ACCOUNT;
        for account in accounts.into_iter().filter(is_taken).collect::<Vec<_>>() {
            while let Some((hash, tx)) = self.pool.get(&(account, self.nonce(account, number))).cloned() {
                if tx.fee.cap_wei() < self.base_fee_wei {
                    break;
                }
                self.pool.remove(&(account, tx.nonce));
                let success = self.would_revert(&tx.call).is_none();
                let skipped = self.entries_paused.clone();
                self.blocks.last_mut().unwrap().txs.push(Mined { hash, tx, success, skipped });
            }
        }
    }

    /// The newest blocks leave the chain, silently.
    pub fn roll_back(&mut self, depth: usize, lost: Lost) {
        self.forks += 1;
        for block in self.blocks.drain(self.blocks.len() - depth..) {
            for mined in block.txs.into_iter().filter(|_| lost == Lost::Pooled) {
                self.pool.insert((mined.tx.from, mined.tx.nonce), (mined.hash, mined.tx));
            }
        }
    }

    /// The newest blocks are replaced by as many empty ones, and one more.
    pub fn reorganise(&mut self, depth: usize, lost: Lost) {
        self.roll_back(depth, lost);
        let pool = std::mem::take(&mut self.pool);
        for _ in 0..=depth {
            self.mine();
        }
        self.pool = pool;
    }

    /// go-ethereum's rules.
    pub fn receive(&mut self, hash: B256) -> SendOutcome {
        let tx = self.signed[&hash].clone();
        if tx.nonce < self.nonce(tx.from, self.tip().number) {
            return SendOutcome::NonceUsed;
        }
        let enough = |old: u128, new: u128| new > old && new * 10 >= old * 11;
        if let Some((old_hash, old)) = self.pool.get(&(tx.from, tx.nonce)) {
            let (was, is) = (old.fee, tx.fee);
            let more = enough(was.cap_wei(), is.cap_wei()) && enough(was.tip_wei(), is.tip_wei());
            if *old_hash == hash {
                return SendOutcome::Known;
            }
            let replaces = more || self.equal_replaces && was == is;
            if !replaces {
                return SendOutcome::ReplacementUnderpriced;
            }
        }
        self.pool.insert((tx.from, tx.nonce), (hash, tx));
        SendOutcome::Accepted
    }

    pub fn nonce(&self, account: Address, height: u64) -> u64 {
        let mined = self.blocks.iter().filter(|b| b.head.number <= height).flat_map(|b| &b.txs);
        mined.filter(|m| m.tx.from == account).map(|m| m.tx.nonce + 1).max().unwrap_or(0)
    }

    pub(super) fn receipt(&self, hash: B256) -> ReceiptAnswer {
        if self.no_receipts {
            return ReceiptAnswer::Unknown;
        }
        let found = self.blocks.iter().find_map(|b| Some((b, b.txs.iter().find(|m| m.hash == hash)?)));
        found.map_or(ReceiptAnswer::Absent, |(block, mined)| {
            ReceiptAnswer::Found(Receipt {
                hash,
                block_number: block.head.number,
                block_hash: block.head.hash,
                success: mined.success,
                gas_used: 40_000,
                gas_price_wei: 1,
            })
        })
    }

    /// What contracts took up to a height.
    fn taken(&self, height: u64) -> impl Iterator<Item = (&Block, &Mined)> {
        let blocks = self.blocks.iter().filter(move |b| b.head.number <= height);
        blocks.flat_map(|b| b.txs.iter().filter(|m| m.success).map(move |m| (b, m)))
    }

    /// Rounds that a feed's contract stored up to a height.
    pub(super) fn stored(&self, id: &FeedId, height: u64) -> Vec<(u64, Answer, Wall)> {
        let spec = &self.spec.feeds[id];
        let answer = |mined: &Mined| match &mined.tx.call {
            Call::Submit { aggregator, round, answer } if *aggregator == spec.aggregator => {
                Some((Some(*round), *answer))
            }
            Call::Update { store, entries, .. } if *store == spec.aggregator => {
                let number = spec.entry.as_ref()?.number;
                let entry = entries.iter().find(|(n, _)| *n == number && !mined.skipped.contains(n))?;
                Some((None, Answer::from(entry.1)))
            }
            _ => None,
        };
        let answers = self.taken(height).filter_map(|(b, m)| Some((answer(m)?, b.head.time)));
        (1..)
            .zip(answers)
            .map(|(count, ((round, answer), time))| (round.unwrap_or(count), answer, time))
            .collect()
    }

    /// The sequences that a store took, and the numbers of the feeds in each.
    pub fn batches(&self, to: Address) -> Vec<(u64, Vec<u16>)> {
        let batch = |m: &Mined| match &m.tx.call {
            Call::Update { store, sequence, entries, .. } if *store == to => {
                Some((u64::from(*sequence), entries.iter().map(|(number, _)| *number).collect()))
            }
            _ => None,
        };
        self.taken(u64::MAX).filter_map(|(_, mined)| batch(mined)).collect()
    }

    pub(super) fn skips(&self, hashes: &[B256]) -> Vec<Skip> {
        let mined = self.blocks.iter().flat_map(|b| &b.txs).filter(|m| hashes.contains(&m.hash));
        let skip = |m: &Mined, entry| Skip { hash: m.hash, entry, reason: SkipReason::FeedPaused };
        mined.flat_map(|m| m.skipped.iter().map(move |entry| skip(m, *entry))).collect()
    }

    /// What the contract would say to a call at the tip.
    pub fn would_revert(&self, call: &Call) -> Option<String> {
        let (contract, number) = match call {
            Call::Submit { aggregator, round, .. } => (*aggregator, *round),
            Call::Update { store, sequence, entries, observed_at_s } => {
                assert!(entries.is_sorted_by(|(a, _), (b, _)| a < b), "the contract wants feeds rising");
                assert!(Wall::from_s(u64::from(*observed_at_s)) <= self.tip().time);
                (*store, u64::from(*sequence))
            }
            Call::Raw { .. } | Call::Noop => return None,
        };
        let latest = match call {
            Call::Submit { .. } => {
                let (id, _) = self.spec.feeds.iter().find(|(_, f)| f.aggregator == contract).unwrap();
                self.stored(id, u64::MAX).last().map_or(0, |(round, ..)| *round)
            }
            _ => self.batches(contract).last().map_or(0, |(sequence, _)| *sequence),
        };
        if self.paused {
            Some("Paused()".to_owned())
        } else {
            (number != latest + 1).then(|| format!("StaleRound({number}, {})", latest + 1))
        }
    }

    pub(super) fn round_view(&self, id: &FeedId, at: BlockRef) -> RoundView {
        let latest = self.stored(id, at.number).last().copied();
        let (round, answer, updated_at) = latest.unwrap_or_default();
        RoundView {
            block_number: at.number,
            block_hash: at.hash,
            round,
            answer,
            updated_at,
            paused: self.paused,
            authorised: true,
            flag: self.flag,
        }
    }

    pub(super) fn store_view(&self, store: Address, at: BlockRef) -> StoreView {
        let feeds = self.spec.feeds.iter().filter(|(_, spec)| spec.aggregator == store).map(|(id, spec)| {
            let (round, answer, updated_at) = self.stored(id, at.number).last().copied().unwrap_or_default();
            let paused = spec.entry.as_ref().is_some_and(|e| self.entries_paused.contains(&e.number));
            (id.clone(), EntryView { round, answer, updated_at, paused, flag: self.flag })
        });
        let upto = self.taken(at.number).filter(|(_, m)| matches!(m.tx.call, Call::Update { .. })).count();
        StoreView {
            block_number: at.number,
            block_hash: at.hash,
            sequence: u64::try_from(upto).unwrap(),
            paused: self.paused,
            authorised: true,
            feeds: feeds.collect(),
        }
    }

    /// A round that somebody else writes goes straight into a new block.
    pub fn write_foreign_round(&mut self, id: &FeedId, answer: i64) {
        let to = self.spec.feeds[id].aggregator;
        let round = self.stored(id, u64::MAX).last().map_or(0, |(round, ..)| *round) + 1;
        let answer = Answer::new(I256::try_from(answer).unwrap());
        let stranger = Address::repeat_byte(0xee);
        let call = Call::Submit { aggregator: to, round, answer };
        self.insert_foreign(stranger, call);
        self.mine();
    }

    /// Somebody else sends from an account that we thought was ours.
    pub fn insert_foreign(&mut self, from: Address, call: Call) {
        let nonce = self.nonce(from, u64::MAX);
        let tx = TxRequest {
            chain_id: 138,
            from,
            nonce,
            gas_limit: 100_000,
            fee: Fee::Legacy { gas_price_wei: 1_000_000 },
            call,
        };
        self.hashes += 1;
        let mut hash = [0xee; 32];
        hash[..8].copy_from_slice(&self.hashes.to_be_bytes());
        self.pool.insert((from, nonce), (B256::from(hash), tx));
    }

    /// Answers of our feed's successful rounds on the canonical chain; they must count up from 1.
    pub fn rounds(&self, id: &FeedId) -> Vec<i64> {
        let stored = self.stored(id, u64::MAX);
        for (expected, (round, ..)) in (1..).zip(&stored) {
            assert_eq!(*round, expected);
        }
        stored.iter().map(|(_, answer, _)| i64::try_from(answer.value()).unwrap()).collect()
    }

    /// Transactions on the canonical chain that failed.
    pub fn reverted(&self) -> usize {
        self.blocks.iter().flat_map(|b| &b.txs).filter(|m| !m.success).count()
    }
}
