//! What the signer remembers: its mode, its reload, and what it was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy::primitives::Address;

use super::SignerConfig;
use super::keys::Key;
use super::mode::{Mode, Tamper};
use crate::clock;

/// Most requests remembered.
const ASKED_MAX: usize = 4_096;

/// Most bytes remembered of one request.
const REQUEST_BYTES_MAX: usize = 16_384;

/// The call by which a signature was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// JSON-RPC `eth_signTransaction`.
    SignTransaction,
    /// JSON-RPC `eth_sign`.
    SignMessage,
    /// JSON-RPC `eth_sendTransaction`.
    SendTransaction,
    /// REST `/api/v1/eth1/sign/{publicKey}`.
    RestSign,
}

/// One request for a signature.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it arrived, milliseconds of the Unix epoch.
    pub at_ms: i64,
    /// By which call.
    pub call: Call,
    /// The request body, cut after 16 KiB.
    pub request: String,
    /// The address of the key that was found for it.
    pub key: Option<Address>,
    /// What was signed and given back (or would have been): the raw transaction or the signature, in hex.
    pub signed: Option<String>,
}

#[derive(Debug, Default)]
struct Memory {
    mode: Mode,
    requests: u64,
    counts: [u64; 4],
    signatures: u64,
    asked: VecDeque<Asked>,
    reload: Option<(Instant, i64)>,
}

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: SignerConfig,
    pub(crate) keys: Vec<Key>,
    memory: Mutex<Memory>,
}

impl State {
    pub(crate) fn new(config: SignerConfig, keys: Vec<Key>) -> Self {
        Self { config, keys, memory: Mutex::default() }
    }

    /// A poisoned lock means that a test panicked elsewhere; no update here spans a panic.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.memory().mode
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.memory().mode = mode;
    }

    /// How answers are tampered with at the moment.
    pub(crate) fn tamper(&self) -> Option<Tamper> {
        match self.mode() {
            Mode::Tampering(tamper) => Some(tamper),
            _ => None,
        }
    }

    /// The keys that are loaded at the moment.
    pub(crate) fn loaded(&self) -> &[Key] {
        if self.mode() == Mode::AddressVanished { &[] } else { &self.keys }
    }

    /// Counts an HTTP request and tells the mode it meets.
    pub(crate) fn arrive(&self) -> Mode {
        let mut memory = self.memory();
        memory.requests += 1;
        memory.mode
    }

    pub(crate) fn remember(&self, call: Call, body: &[u8], key: Option<Address>, signed: Option<String>) {
        let kept = body.get(..REQUEST_BYTES_MAX).unwrap_or(body);
        let request = String::from_utf8_lossy(kept).into_owned();
        let mut memory = self.memory();
        if let Some(count) = memory.counts.get_mut(position(call)) {
            *count += 1;
        }
        memory.signatures += u64::from(signed.is_some());
        if memory.asked.len() == ASKED_MAX {
            memory.asked.pop_front();
        }
        memory.asked.push_back(Asked { at_ms: clock::now_ms(), call, request, key, signed });
    }

    pub(crate) fn requests(&self) -> u64 {
        self.memory().requests
    }

    pub(crate) fn count(&self, which: impl Fn(Call) -> bool) -> u64 {
        let all = [Call::SignTransaction, Call::SignMessage, Call::SendTransaction, Call::RestSign];
        let memory = self.memory();
        all.into_iter().filter(|call| which(*call)).filter_map(|call| memory.counts.get(position(call))).sum()
    }

    pub(crate) fn signatures(&self) -> u64 {
        self.memory().signatures
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.memory().asked.iter().cloned().collect()
    }

    /// Begins a reload; false while one is running.
    pub(crate) fn begin_reload(&self) -> bool {
        let idle = self.reload().0 != "running";
        if idle {
            self.memory().reload = Some((Instant::now(), clock::now_ms()));
        }
        idle
    }

    /// The reload's status and when the last one began.
    pub(crate) fn reload(&self) -> (&'static str, Option<i64>) {
        match self.memory().reload {
            None => ("idle", None),
            Some((began, at_ms)) if began.elapsed() < Duration::from_millis(self.config.reload_ms) => {
                ("running", Some(at_ms))
            }
            Some((_, at_ms)) => ("completed", Some(at_ms)),
        }
    }
}

fn position(call: Call) -> usize {
    match call {
        Call::SignTransaction => 0,
        Call::SignMessage => 1,
        Call::SendTransaction => 2,
        Call::RestSign => 3,
    }
}
