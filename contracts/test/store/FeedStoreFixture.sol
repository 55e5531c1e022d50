// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FeedStore} from "../../src/store/FeedStore.sol";
import {Storing} from "./Storing.sol";

/// @dev A store of twelve feeds with a transmitter and seven signers, two of whom may be faulty.
abstract contract FeedStoreFixture is Storing {
    uint256 internal constant FEEDS = 12;
    uint256 internal constant SIGNERS = 7;
    uint8 internal constant FAULTS = 2;

    FeedStore internal store;

    function setUp() public virtual {
        store = _storeSignedBy(FEEDS, SIGNERS, FAULTS);
    }

    function _digest(bytes memory report) internal view returns (bytes32) {
        return _digestOf(_domainOf(block.chainid, address(store), 1, _signers(SIGNERS), FAULTS), report);
    }

    function _transmitted(bytes memory report) internal view returns (bytes memory) {
        return bytes.concat(store.transmit.selector, report, _attest(_digest(report), FAULTS));
    }

    function _updated(bytes memory report) internal pure returns (bytes memory) {
        return bytes.concat(FeedStore.update.selector, report);
    }

    /// @dev The report as the next one, observed now.
    function _next(bytes memory entries) internal view returns (bytes memory) {
        return _batch(_nextSequence(store), block.timestamp, entries);
    }

    /// @dev Neither way accepts the report, both for the same reason, and nothing is left behind.
    function _bothRefuse(bytes memory report, bytes memory reason) internal {
        bytes memory before = _state();
        vm.prank(TRANSMITTER);
        _refused(address(store), _updated(report), reason);
        _refused(address(store), _transmitted(report), reason);
        vm.assertEq(_state(), before);
    }

    function _transmitRefused(bytes memory data) internal returns (bytes4 selector) {
        uint256 before = _nextSequence(store);
        (bool ok, bytes memory reason) = address(store).call(data);
        vm.assertFalse(ok);
        vm.assertEq(_nextSequence(store), before);
        return bytes4(reason);
    }

    /// @dev The sequence and the latest round of every feed.
    function _state() internal view returns (bytes memory state) {
        state = abi.encode(_nextSequence(store));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            state = bytes.concat(state, _outcome(address(store), abi.encodeCall(store.latestRoundOf, (feed))));
        }
    }

    function _assertLatest(uint256 feed, uint256 round, int256 answer, uint256 time) internal view {
        (uint256 roundId, int256 latest, uint256 updatedAt) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, latest, updatedAt), abi.encode(round, answer, time));
        (latest, updatedAt) = store.roundOf(feed, round);
        vm.assertEq(abi.encode(latest, updatedAt), abi.encode(answer, time));
    }
}
