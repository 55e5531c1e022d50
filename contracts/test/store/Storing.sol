// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Signing} from "../report/Signing.sol";

/// @title A store with feeds, and how its reports are made.
abstract contract Storing is Signing {
    /// @dev A store whose feeds accept every answer that can be reported.
    function _store(uint256 feeds) internal returns (FeedStore store) {
        store = new FeedStore(MAX_AGE, OWNER, TRANSMITTER);
        for (uint256 i = 0; i < feeds; ++i) {
            _addFeed(store, type(int64).min, type(int64).max);
        }
    }

    function _storeSignedBy(uint256 feeds, uint256 n, uint8 f) internal returns (FeedStore store) {
        store = _store(feeds);
        address[] memory signers = _signers(n);
        vm.prank(OWNER);
        store.setSigners(signers, f);
    }

    function _addFeed(FeedStore store, int256 min, int256 max) internal returns (uint256) {
        vm.prank(OWNER);
        return store.addFeed(8, "ETH / USD", min, max);
    }

    function _facade(FeedStore store, uint256 feed) internal returns (FeedFacade) {
        return new FeedFacade(store, feed);
    }

    function _entry(uint256 feed, int256 answer) internal pure returns (bytes memory) {
        return abi.encodePacked(uint16(feed), int64(answer));
    }

    /// @dev Entries of feeds 0 to k - 1: answer, answer + 1, ...
    function _entries(uint256 k, int256 answer) internal pure returns (bytes memory entries) {
        for (uint256 i = 0; i < k; ++i) {
            entries = bytes.concat(entries, _entry(i, answer + int256(i)));
        }
    }

    function _batch(uint256 sequence, uint256 observedAt, bytes memory entries)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(abi.encodePacked(uint32(sequence), uint32(observedAt)), entries);
    }

    function _nextSequence(FeedStore store) internal view returns (uint256 sequence) {
        (sequence,,,,) = store.storeState(address(0));
        ++sequence;
    }

    /// @dev Writes entries as the transmitter, observed now.
    function _update(FeedStore store, bytes memory entries) internal {
        bytes memory report = _batch(_nextSequence(store), block.timestamp, entries);
        vm.prank(TRANSMITTER);
        _send(address(store), bytes.concat(store.update.selector, report));
    }

    /// @dev Writes entries as a quorum, observed now.
    function _transmitEntries(FeedStore store, bytes memory entries) internal {
        _transmit(store, store.transmit.selector, _batch(_nextSequence(store), block.timestamp, entries));
    }
}
