// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {FeedSuite} from "./base/FeedSuite.sol";

/// @dev A feed whose rounds come from the single-transmitter aggregator.
abstract contract SubmittedFeed is FeedSuite {
    Aggregator internal source;

    function _publish(int256 answer) internal override {
        _submit(source, answer);
    }
}

/// @dev The feed read at its own address.
contract AggregatorFeedTest is SubmittedFeed {
    function setUp() public {
        source = _aggregator();
        feed = source;
    }
}

/// @dev The feed read through the proxy, as its first phase.
contract ProxiedFeedTest is SubmittedFeed {
    function setUp() public {
        source = _aggregator();
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

/// @dev The feed read through the proxy, as a later phase; the rounds of the one before must not shine through.
contract LaterPhaseFeedTest is SubmittedFeed {
    function setUp() public {
        AggregatorProxy proxy = new AggregatorProxy(address(_aggregator()), OWNER);
        source = _aggregator();
        // Confirmed with rounds, then tested from empty: the rounds are wiped with the storage they are in.
        _seed(source, 3);
        vm.prank(OWNER);
        proxy.proposeAggregatorWithBounds(address(source), 60, type(uint32).max);
        vm.prank(OWNER);
        proxy.confirmAggregator(address(source));
        vm.store(address(source), bytes32(0), bytes32(0));
        feed = proxy;
        prefix = 2 << 64;
    }
}
