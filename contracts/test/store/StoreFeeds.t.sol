// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {FeedSuite} from "../base/FeedSuite.sol";
import {OwnedSuite} from "../base/OwnedSuite.sol";
import {Storing} from "./Storing.sol";

/// @dev A feed of a store among others, read through its facade. The neighbours are written at the same time and with
/// other answers, so that whatever of theirs shines through is seen.
abstract contract StoredFeed is FeedSuite, Storing {
    FeedStore internal source;
    /// @dev The feed under test; its neighbours are the one before and the one after.
    uint256 internal under;

    function _neighbours(int256 answer) internal view returns (bytes memory) {
        return bytes.concat(_entry(under - 1, 11), _entry(under, answer), _entry(under + 1, -13));
    }

    function _range() internal pure override returns (int256 min, int256 max) {
        return (type(int64).min, type(int64).max);
    }
}

/// @dev Written by a transmitter, read at the facade's own address; each position in a group comes first once.
contract UpdatedFeedTest is StoredFeed {
    function setUp() public virtual {
        _setUp(3);
    }

    function _setUp(uint256 feed_) internal {
        under = feed_;
        source = _store(feed_ + 2);
        feed = _facade(source, feed_);
    }

    function _publish(int256 answer) internal override {
        _update(source, _neighbours(answer));
    }
}

contract SecondUpdatedFeedTest is UpdatedFeedTest {
    function setUp() public override {
        _setUp(7);
    }
}

contract ThirdUpdatedFeedTest is UpdatedFeedTest {
    function setUp() public override {
        _setUp(8);
    }
}

/// @dev Written by a quorum, read through the proxy over the facade; the facade announces each round.
contract ProxiedTransmittedFeedTest is StoredFeed {
    function setUp() public {
        under = 2;
        source = _storeSignedBy(4, 4, 1);
        address facade = address(_facade(source, under));
        vm.prank(OWNER);
        source.setAnnouncer(under, facade);
        feed = new AggregatorProxy(facade, OWNER);
        prefix = 1 << 64;
    }

    function _publish(int256 answer) internal override {
        _transmitEntries(source, _neighbours(answer));
    }
}

contract FeedStoreOwnedTest is OwnedSuite, Storing {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new FeedStore(MAX_AGE, owner, TRANSMITTER);
    }
}
