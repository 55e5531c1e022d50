// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {Vm} from "../base/Vm.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @title The two times for a median, side by side.
contract FluxModesTest is FluxFixture {
    IFluxAggregator private every;
    IFluxAggregator private sparing;

    function setUp() public {
        every = _flux(TIMEOUT, IFluxAggregator.MedianMode.EverySubmission);
        sparing = _flux(TIMEOUT, IFluxAggregator.MedianMode.MinimumAndMaximum);
    }

    function test_modes_areSaid() public view {
        vm.assertTrue(every.medianMode() == IFluxAggregator.MedianMode.EverySubmission);
        vm.assertTrue(sparing.medianMode() == IFluxAggregator.MedianMode.MinimumAndMaximum);
    }

    /// Between the minimum and the maximum the answer stands still; at both it is the one of the other mode, and says
    /// so by an event.
    function testFuzz_modes_agreeAtMinimumAndMaximum(uint256 seed, uint256 min, uint256 max) public {
        max = 1 + max % 12;
        min = 1 + min % max;
        _addOracles(every, 0, max, uint32(min), uint32(max));
        _addOracles(sparing, 0, max, uint32(min), uint32(max));
        for (uint256 round = 1; round <= 2; ++round) {
            uint256 updatedAt;
            int256 answer;
            for (uint256 i = 0; i < max; ++i) {
                vm.warp(block.timestamp + 7);
                int256 value = int256(uint256(keccak256(abi.encode(seed, round, i))));
                if (seed % 2 == 0) value >>= 200;
                uint256 events = _submitTo(every, round, i, value);
                vm.assertEq(events, i + 1 < min ? 0 : 1);
                bool due = i + 1 == min || i + 1 == max;
                events = _submitTo(sparing, round, i, value);
                vm.assertEq(events, due ? 1 : 0);
                if (due) (answer, updatedAt) = (every.getAnswer(round), block.timestamp);
                vm.assertEq(sparing.getAnswer(round), answer);
                vm.assertEq(sparing.getTimestamp(round), updatedAt);
                vm.assertEq(sparing.latestRound(), every.latestRound());
            }
            bytes memory read = abi.encodeCall(every.getRoundData, (uint80(round)));
            vm.assertEq(_outcome(address(sparing), read), _outcome(address(every), read));
        }
    }

    /// A late submission to the round before changes nothing, until it is the one that closes it.
    function test_modes_lateSubmissions() public {
        _addOracles(sparing, 0, 5, 2, 5);
        _submitTo(sparing, 1, 0, 10);
        _submitTo(sparing, 1, 1, 20);
        _submitTo(sparing, 2, 0, 1000);
        vm.assertEq(_submitTo(sparing, 1, 2, 1), 0);
        vm.assertEq(_submitTo(sparing, 1, 3, 2), 0);
        vm.assertEq(sparing.getAnswer(1), int256(15));
        vm.assertEq(_submitTo(sparing, 1, 4, 3), 1);
        vm.assertEq(sparing.getAnswer(1), int256(3));
        vm.assertEq(sparing.latestRound(), 1);
        vm.assertEq(_submitTo(sparing, 2, 4, 2000), 1);
        vm.assertEq(sparing.latestAnswer(), int256(1500));
    }

    /// @return answers how many `AnswerUpdated` it emitted, each with what is then read
    function _submitTo(IFluxAggregator feed, uint256 round, uint256 i, int256 value)
        private
        returns (uint256 answers)
    {
        vm.recordLogs();
        vm.prank(_oracle(i));
        feed.submit(round, value);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 j = 0; j < logs.length; ++j) {
            if (logs[j].topics[0] != IAggregatorV2V3.AnswerUpdated.selector) continue;
            ++answers;
            vm.assertEq(int256(uint256(logs[j].topics[1])), feed.getAnswer(round));
            vm.assertEq(uint256(logs[j].topics[2]), round);
            vm.assertEq(abi.decode(logs[j].data, (uint256)), feed.getTimestamp(round));
        }
    }
}
