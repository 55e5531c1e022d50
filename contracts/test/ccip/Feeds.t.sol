// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipFeedSender} from "../../src/ccip/CcipFeedSender.sol";
import {OracleWithCCIP} from "../../src/ccip/OracleWithCCIP.sol";
import {FeedSuite} from "../base/FeedSuite.sol";
import {CcipFixture, ISimulatedRouter} from "./CcipFixture.sol";

/// @dev A feed whose rounds a router delivers. Its source numbers rounds as a phase proxy does, and leaves gaps.
abstract contract DeliveredFeed is CcipFixture, FeedSuite {
    ISimulatedRouter internal router;
    CcipFeedReceiver internal receiver;
    uint256 private sourceRound = 5 << 64;

    function setUp() public virtual {
        (router,) = _generation1();
        receiver = _receiver(router);
        _allow(receiver, SENDER);
        feed = receiver;
    }

    function _publish(int256 answer) internal override {
        sourceRound += 3;
        (bool success,,) = router.routeMessage(
            _message(SENDER, _payload(sourceRound, answer, block.timestamp)),
            5000,
            GAS_LIMIT,
            address(receiver)
        );
        vm.assertTrue(success);
    }
}

contract ReceiverFeedTest is DeliveredFeed {}

contract ProxiedReceiverFeedTest is DeliveredFeed {
    function setUp() public override {
        super.setUp();
        feed = new AggregatorProxy(address(receiver), OWNER);
        prefix = 1 << 64;
    }
}

/// @dev The home feed of a lane, at its own address and through the proxy.
abstract contract LanedFeed is CcipFixture, FeedSuite {
    OracleWithCCIP internal oracle;

    function setUp() public virtual {
        oracle = _oracle(_generation2());
        feed = oracle;
    }

    function _publish(int256 answer) internal override {
        _submit(oracle, answer);
    }
}

contract OracleWithCCIPFeedTest is LanedFeed {}

contract ProxiedOracleWithCCIPFeedTest is LanedFeed {
    function setUp() public override {
        super.setUp();
        feed = new AggregatorProxy(address(oracle), OWNER);
        prefix = 1 << 64;
    }
}

/// @dev The whole way: submitted to an aggregator, read by a sender through the proxy, sent by a router of CCIP 2.0,
/// taken by the receiver, and read through the proxy of the destination.
contract WholeWayFeedTest is CcipFixture, FeedSuite {
    OracleWithCCIP private oracle;
    CcipFeedSender private sender;

    function setUp() public {
        ISimulatedRouter router = _generation2();
        oracle = _oracle(router);
        AggregatorProxy home = new AggregatorProxy(address(oracle), OWNER);
        sender = new CcipFeedSender(address(home), address(router), FEED, OWNER, TRANSMITTER);
        CcipFeedReceiver receiver = _receiver(router);
        _allow(receiver, address(sender));
        _setLane(sender, _lane(address(receiver), _extraArgs3()));
        feed = new AggregatorProxy(address(receiver), OWNER);
        prefix = 1 << 64;
    }

    function _publish(int256 answer) internal override {
        _submit(oracle, answer);
        vm.prank(TRANSMITTER);
        sender.publish(DESTINATION);
    }
}
