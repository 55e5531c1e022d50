// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AccessControlledAggregatorProxy} from "../src/AccessControlledAggregatorProxy.sol";
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

/// @dev The feed while a validator is told of every round: a bit more is set beside the rounds.
contract WatchedFeedTest is SubmittedFeed {
    function setUp() public {
        source = _aggregator();
        vm.prank(OWNER);
        source.setValidator(address(this), 50_000);
        feed = source;
    }
}

/// @dev A feed with the smallest history there is.
contract RingFeedTest is SubmittedFeed {
    function setUp() public {
        source = _ring(4);
        feed = source;
    }
}

contract ProxiedRingFeedTest is SubmittedFeed {
    function setUp() public {
        source = _ring(4);
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

/// @dev A ring whose every slot holds a round of before, none of which may shine through.
contract UsedRingFeedTest is SubmittedFeed {
    function setUp() public {
        source = _ring(4);
        for (int256 i = 1; i <= 40; ++i) {
            _submit(source, int256(1) << 100);
        }
        vm.store(address(source), bytes32(0), bytes32(0));
        feed = source;
    }
}

/// @dev The feed as a listed reader sees it.
contract AccessControlledFeedTest is SubmittedFeed {
    function setUp() public {
        source = _aggregator();
        AccessControlledAggregatorProxy proxy = new AccessControlledAggregatorProxy(address(source), OWNER);
        vm.prank(OWNER);
        proxy.addAccess(address(this));
        feed = proxy;
        prefix = 1 << 64;
    }
}

contract AccessControlledRingFeedTest is SubmittedFeed {
    function setUp() public {
        source = _ring(4);
        AccessControlledAggregatorProxy proxy = new AccessControlledAggregatorProxy(address(source), OWNER);
        vm.prank(OWNER);
        proxy.addAccess(address(this));
        feed = proxy;
        prefix = 1 << 64;
    }
}
