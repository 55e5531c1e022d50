//! Ports of one's own on loopback. Used by the unit tests of the store as well, which is why nothing but `std` is needed.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// What was given away: a program may be seconds from listening at it, while another test asks.
static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A port that was free a moment ago, below those that the system gives to outgoing connections: a program that is
/// started again finds it free again. No test of this process gets it a second time.
pub fn free_port() -> io::Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    for try_number in 0..100_u8 {
        // The standard library's only source of chance.
        let chance = RandomState::new().hash_one(try_number).to_le_bytes();
        let port = 15_000 + u16::from_le_bytes([chance[0], chance[1]]) % 17_000;
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.contains(&port) && free(port).is_ok() {
            given.push(port);
            return Ok(port);
        }
    }
    Ok(free(0)?.local_addr()?.port())
}
