// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {FeedSuite} from "../base/FeedSuite.sol";
import {OwnedSuite} from "../base/OwnedSuite.sol";
import {Signing} from "./Signing.sol";

/// @dev A feed whose rounds come from reports that a quorum signed.
abstract contract ReportedFeed is FeedSuite, Signing {
    ReportAggregator internal source;

    function _publish(int256 answer) internal override {
        _transmitRound(source, answer);
    }

    function _range() internal pure override returns (int256 min, int256 max) {
        return (type(int64).min, type(int64).max);
    }
}

/// @dev The feed read at its own address.
contract ReportFeedTest is ReportedFeed {
    function setUp() public {
        source = _reportAggregator(4, 1);
        feed = source;
    }
}

/// @dev The feed read through the proxy.
contract ProxiedReportFeedTest is ReportedFeed {
    function setUp() public {
        source = _reportAggregator(7, 2);
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

contract ReportAggregatorOwnedTest is OwnedSuite, Signing {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new ReportAggregator(8, "ETH / USD", 1, 1e15, MAX_AGE, owner, _signers(4), 1);
    }
}
