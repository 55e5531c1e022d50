// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {FluxCompatibleAggregator} from "../../src/flux/FluxCompatibleAggregator.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {FeedSuite} from "../base/FeedSuite.sol";
import {OwnedSuite} from "../base/OwnedSuite.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @dev A feed whose rounds come from several oracles, each of them submitting the same answer in the same second.
abstract contract FluxFeed is FeedSuite, FluxFixture {
    FluxCompatibleAggregator internal source;

    function _oracles() internal pure virtual returns (uint256) {
        return 1;
    }

    function _mode() internal pure virtual returns (IFluxAggregator.MedianMode) {
        return IFluxAggregator.MedianMode.EverySubmission;
    }

    function setUp() public virtual {
        source = _flux(0, _mode());
        _addOracles(source, 0, _oracles(), 1, uint32(_oracles()));
        feed = source;
    }

    function _publish(int256 answer) internal override {
        uint256 round = source.latestRound() + 1;
        for (uint256 i = 0; i < _oracles(); ++i) {
            vm.prank(_oracle(i));
            source.submit(round, answer);
        }
    }

    function _version() internal pure override returns (uint256) {
        return 3;
    }

    function _range() internal pure override returns (int256 min, int256 max) {
        return (type(int256).min, type(int256).max);
    }
}

contract OneOracleFeedTest is FluxFeed {}

contract ProxiedOneOracleFeedTest is FluxFeed {
    function setUp() public override {
        super.setUp();
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

contract FiveOraclesFeedTest is FluxFeed {
    function _oracles() internal pure override returns (uint256) {
        return 5;
    }
}

contract ProxiedFiveOraclesFeedTest is FluxFeed {
    function _oracles() internal pure override returns (uint256) {
        return 5;
    }

    function _mode() internal pure override returns (IFluxAggregator.MedianMode) {
        return IFluxAggregator.MedianMode.MinimumAndMaximum;
    }

    function setUp() public override {
        super.setUp();
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

contract FluxOwnedTest is OwnedSuite {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new FluxCompatibleAggregator(
            0, address(0), 0, 1, 8, "ETH / USD", IFluxAggregator.MedianMode.EverySubmission, owner
        );
    }
}
