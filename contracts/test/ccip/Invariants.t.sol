// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipRound} from "../../src/ccip/CcipRound.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {CcipFixture, ISimulatedRouter} from "./CcipFixture.sol";

/// @dev Delivers whatever may come over a lane, in any order and with any gas, and keeps account of it in the plainest
/// way: a list of rounds, and a list of failures.
contract LaneHandler is CcipFixture {
    struct Told {
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
    }

    int256 private constant MAX = 1e15;

    ISimulatedRouter private immutable _router;
    CcipFeedReceiver public immutable receiver;

    Told[] public told;
    uint256 public newest;
    uint256 public dropped;
    uint256 public recovered;
    bytes[] private _sent;
    bytes[] private _failed;
    bool private _failedBefore;

    constructor(ISimulatedRouter router_, CcipFeedReceiver receiver_) {
        _router = router_;
        receiver = receiver_;
    }

    function rounds() external view returns (uint256) {
        return told.length;
    }

    function failures() external view returns (uint256) {
        return _failed.length;
    }

    /// @dev A round near the newest one, older or newer, with times around the present.
    function deliverRound(uint8 ahead, int256 answer, uint16 age, uint16 duration, uint8 step) external {
        vm.warp(block.timestamp + step);
        uint256 sourceRound = newest + ahead % 8;
        sourceRound = sourceRound < 3 ? 1 : sourceRound - 2;
        // One in 4 answers is out of bounds.
        answer = answer % 4 == 0 ? MAX + 1 : int256(uint256(answer) % uint256(MAX)) + 1;
        uint256 updatedAt = block.timestamp + 200 - age % 1000;
        _deliver(
            CcipRound.encode(
                CcipRound.Round(FEED, sourceRound, answer, updatedAt - duration % 1000, updatedAt, 8)
            ),
            GAS_LIMIT
        );
    }

    /// @dev The same without the gas it takes.
    function starve(uint8 ahead, uint16 gasAbove) external {
        bytes memory payload = _payload(newest + 1 + ahead % 8, 77, block.timestamp);
        uint256 snapshotRounds = told.length;
        (bool success,,) = _route(payload, 60_000 + uint256(gasAbove) % 60_000);
        _settle(payload, success);
        if (told.length != snapshotRounds) vm.assertTrue(success);
    }

    function repeat(uint256 which) external {
        if (_sent.length != 0) _deliver(_sent[which % _sent.length], GAS_LIMIT);
    }

    function garble(bytes calldata payload) external {
        _deliver(payload, GAS_LIMIT);
    }

    function retry(uint256 which) external {
        if (_failed.length == 0) return;
        bytes memory payload = _failed[which % _failed.length];
        (bool failed,) = receiver.failure(keccak256(payload));
        vm.prank(OWNER);
        try receiver.retry(keccak256(payload), SOURCE, abi.encode(SENDER), payload) {
            vm.assertTrue(failed);
            ++recovered;
            _account(payload);
        } catch {}
    }

    function fromStranger(address sender, bytes calldata payload) external {
        if (sender == SENDER) return;
        (bool success,,) = _router.routeMessage(_message(sender, payload), 5000, GAS_LIMIT, address(receiver));
        vm.assertFalse(success);
    }

    function _deliver(bytes memory payload, uint256 gasLimit) private {
        (bool success,,) = _route(payload, gasLimit);
        vm.assertTrue(success);
        _settle(payload, true);
    }

    function _route(bytes memory payload, uint256 gasLimit) private returns (bool, bytes memory, uint256) {
        _sent.push(payload);
        (bool failedBefore,) = receiver.failure(keccak256(payload));
        _failedBefore = failedBefore;
        return _router.routeMessage(_message(SENDER, payload), 5000, gasLimit, address(receiver));
    }

    /// @dev After a delivery the message failed, was dropped, or made the next round.
    function _settle(bytes memory payload, bool success) private {
        (bool failed,) = receiver.failure(keccak256(payload));
        if (failed && !_failedBefore) _failed.push(payload);
        if (success && !failed) _account(payload);
        if (!success) vm.assertFalse(failed);
    }

    /// @dev What a message that succeeded must have done, by the plain rules.
    function _account(bytes memory payload) private {
        (, CcipRound.Round memory round) = abi.decode(payload, (uint256, CcipRound.Round));
        if (round.roundId <= newest) {
            ++dropped;
            return;
        }
        newest = round.roundId;
        Told memory last = told.length == 0 ? Told(0, 0, 0) : told[told.length - 1];
        uint256 updatedAt = round.updatedAt > block.timestamp ? block.timestamp : round.updatedAt;
        if (updatedAt < last.updatedAt) updatedAt = last.updatedAt;
        uint256 startedAt = round.startedAt > updatedAt ? updatedAt : round.startedAt;
        if (startedAt < last.startedAt) startedAt = last.startedAt;
        told.push(Told(round.answer, startedAt, updatedAt));
    }
}

/// @title Whatever comes over the lane, the feed is what the rules make of it.
contract CcipReceiverInvariantTest is CcipFixture {
    CcipFeedReceiver private receiver;
    LaneHandler private handler;

    function setUp() public {
        (ISimulatedRouter router,) = _generation1();
        receiver = new CcipFeedReceiver(address(router), FEED, 8, "ETH / USD", 1, 1e15, OWNER);
        _allow(receiver, SENDER);
        handler = new LaneHandler(router, receiver);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// The actions reach every outcome: taken, dropped, failed, recovered.
    function test_handler_reachesEveryOutcome() public {
        handler.deliverRound(5, 1, 0, 0, 1);
        handler.deliverRound(0, 1, 0, 0, 1);
        handler.deliverRound(5, 4, 0, 0, 1);
        handler.starve(5, 20_000);
        handler.retry(0);
        handler.retry(1);
        handler.deliverRound(5, 1, 500, 0, 1);
        handler.repeat(0);
        handler.garble(hex"00");
        vm.assertEq(handler.rounds(), 3);
        vm.assertEq(handler.dropped(), 2);
        vm.assertEq(handler.failures(), 3);
        vm.assertEq(handler.recovered(), 1);
        invariant_receiverIsItsAccount();
    }

    /// Every round of the feed, read back, is the one the plain account holds; no other exists.
    function invariant_receiverIsItsAccount() public view {
        uint256 rounds = handler.rounds();
        vm.assertEq(receiver.latestRound(), rounds);
        vm.assertEq(receiver.latestSourceRound(), handler.newest());
        uint256 before;
        for (uint80 id = 1; id <= rounds; ++id) {
            (int256 answer, uint256 startedAt, uint256 updatedAt) = handler.told(id - 1);
            bytes memory expected = abi.encode(true, abi.encode(id, answer, startedAt, updatedAt, id));
            vm.assertEq(_outcome(address(receiver), abi.encodeCall(receiver.getRoundData, (id))), expected);
            vm.assertTrue(before <= updatedAt && startedAt <= updatedAt && updatedAt <= block.timestamp);
            before = updatedAt;
        }
    }
}
