// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {IFeedPolicy} from "../src/interfaces/IFeedPolicy.sol";
import {Fixture} from "./base/Fixture.sol";

contract FeedPolicyTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator();
    }

    function test_policy_isStatedByTheOwner() public {
        _assertPolicy(0, 0);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IFeedPolicy.PolicyChanged(3600, 5000);
        vm.prank(OWNER);
        feed.setPolicy(3600, 5000);
        _assertPolicy(3600, 5000);
        vm.prank(OWNER);
        feed.setPolicy(type(uint32).max, 0);
        _assertPolicy(type(uint32).max, 0);
        vm.prank(OWNER);
        feed.setPolicy(0, type(uint32).max);
        _assertPolicy(0, type(uint32).max);
    }

    function test_policy_onlyByTheOwner() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.setPolicy(1, 1);
        _assertPolicy(0, 0);
    }

    /// It is a statement: rounds come when they come, and cost what they cost.
    function test_policy_bindsNoSubmission() public {
        _seed(feed, 3);
        uint256 state = vm.snapshotState();
        _submit(feed, 5);
        uint256 without = vm.lastCallGas().gasTotalUsed;
        vm.assertTrue(vm.revertToState(state));
        vm.prank(OWNER);
        feed.setPolicy(1, 1);
        _submit(feed, 5);
        vm.assertEq(vm.lastCallGas().gasTotalUsed, without);
        vm.warp(block.timestamp + 10 days);
        _submit(feed, 5e15);
        vm.assertEq(feed.latestRound(), 5);
    }

    function _assertPolicy(uint32 heartbeatSeconds, uint32 deviationPpm) private view {
        (uint32 heartbeat, uint32 deviation) = feed.policy();
        vm.assertEq(heartbeat, heartbeatSeconds);
        vm.assertEq(deviation, deviationPpm);
    }
}
