// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {IOwned} from "../src/interfaces/IOwned.sol";
import {OwnedSuite} from "./base/OwnedSuite.sol";

contract AggregatorOwnedTest is OwnedSuite {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new Aggregator(8, "ETH / USD", 1, 1e15, owner, TRANSMITTER, 0);
    }
}

contract AggregatorProxyOwnedTest is OwnedSuite {
    Aggregator private first;

    function setUp() public override {
        first = _aggregator();
        super.setUp();
    }

    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new AggregatorProxy(address(first), owner);
    }
}
