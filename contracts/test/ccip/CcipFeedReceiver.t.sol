// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LinkToken} from "@chainlink/local/src/shared/LinkToken.sol";

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipRound} from "../../src/ccip/CcipRound.sol";
import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {ICcipFeedReceiver} from "../../src/interfaces/ccip/ICcipFeedReceiver.sol";
import {ICcipRouted} from "../../src/interfaces/ccip/ICcipRouted.sol";
import {Vm} from "../base/Vm.sol";
import {CcipFixture, ISimulatedRouter} from "./CcipFixture.sol";

/// @dev A receiver of prices from 1 to 10^15, its source, and ways to deliver to it.
abstract contract CcipFeedReceiverFixture is CcipFixture {
    int256 internal constant MIN = 1;
    int256 internal constant MAX = 1e15;

    ISimulatedRouter internal router;
    LinkToken internal link;
    CcipFeedReceiver internal receiver;

    function setUp() public virtual {
        (router, link) = _generation1();
        receiver = new CcipFeedReceiver(address(router), FEED, 8, "ETH / USD", MIN, MAX, OWNER);
        _allow(receiver, SENDER);
    }

    /// @dev Delivers with that much gas; the router must take it for a success.
    function _deliver(Ccip.Any2EVMMessage memory message, uint256 gasLimit) internal {
        (bool success, bytes memory reason,) = router.routeMessage(message, 5000, gasLimit, address(receiver));
        vm.assertEq(reason, "");
        vm.assertTrue(success);
    }

    function _deliver(bytes memory payload) internal {
        _deliver(_message(SENDER, payload), GAS_LIMIT);
    }

    function _deliverRound(uint256 sourceRound, int256 answer) internal {
        _deliver(_payload(sourceRound, answer, block.timestamp));
    }

    /// @dev The router must be told of a revert, with that reason, and no round may come of it.
    function _refused(Ccip.Any2EVMMessage memory message, bytes memory reason) internal {
        uint256 before = receiver.latestRound();
        (bool success, bytes memory given,) = router.routeMessage(message, 5000, GAS_LIMIT, address(receiver));
        vm.assertFalse(success);
        // The router hands on no more than 132 bytes of a reason.
        if (reason.length > 132) {
            assembly ("memory-safe") {
                mstore(reason, 132)
            }
        }
        vm.assertEq(given, reason);
        vm.assertEq(receiver.latestRound(), before);
    }

    /// @dev Delivers a message that must be kept with that reason and change no round.
    function _kept(bytes memory payload, bytes memory reason) internal {
        bytes32 head = keccak256(_heads());
        bytes memory told = payload.length == CcipRound.LENGTH ? payload : bytes("");
        bytes32 messageId = keccak256(payload);
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.MessageFailed(messageId, SOURCE, abi.encode(SENDER), told, reason);
        _deliver(payload);
        (bool failed, bytes4 kept) = receiver.failure(messageId);
        vm.assertTrue(failed);
        vm.assertEq(bytes32(kept), bytes32(bytes4(reason)));
        vm.assertEq(keccak256(_heads()), head);
    }

    function _retry(bytes memory payload) internal {
        vm.prank(OWNER);
        receiver.retry(keccak256(payload), SOURCE, abi.encode(SENDER), payload);
    }

    /// @dev What every read of the latest round says.
    function _heads() internal view returns (bytes memory) {
        return abi.encode(
            _outcome(address(receiver), abi.encodeCall(receiver.latestRoundData, ())),
            receiver.latestRound(),
            receiver.latestSourceRound()
        );
    }

    /// @dev Asks that nothing be left of the message.
    function _assertFinal(bytes memory payload) internal view {
        (bool failed,) = receiver.failure(keccak256(payload));
        vm.assertFalse(failed);
    }
}

contract CcipFeedReceiverSurfaceTest is CcipFeedReceiverFixture {
    function test_constructor() public view {
        vm.assertEq(receiver.typeAndVersion(), "CcipFeedReceiver 1.0.0");
        vm.assertEq(receiver.feedId(), FEED);
        vm.assertEq(receiver.decimals(), 8);
        vm.assertEq(receiver.minAnswer(), MIN);
        vm.assertEq(receiver.maxAnswer(), MAX);
        vm.assertEq(receiver.router(), address(router));
        vm.assertEq(receiver.latestSourceRound(), 0);
    }

    function test_constructor_refusesBounds() public {
        _boundsRefused(1, 0);
        _boundsRefused(int256(type(int176).min) - 1, 0);
        _boundsRefused(0, int256(type(int176).max) + 1);
    }

    function _boundsRefused(int256 min, int256 max) private {
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.InvalidBounds.selector, min, max));
        new CcipFeedReceiver(address(router), FEED, 8, "ETH / USD", min, max, OWNER);
    }

    /// Both generations of ramps ask before they deliver, and take no for "deliver nothing, report success".
    function test_supportsInterface() public view {
        vm.assertTrue(receiver.supportsInterface(0x01ffc9a7));
        vm.assertTrue(receiver.supportsInterface(0x85572ffb));
        vm.assertTrue(receiver.supportsInterface(0x1bfc84d0));
        vm.assertFalse(receiver.supportsInterface(0xffffffff));
        vm.assertFalse(receiver.supportsInterface(0x00000000));
    }

    function test_getCCVsAndFinalityConfig() public view {
        (address[] memory required, address[] memory optional, uint8 threshold, bytes4 finality) =
            receiver.getCCVsAndFinalityConfig(SOURCE, abi.encode(SENDER));
        vm.assertEq(required.length + optional.length + threshold, 0);
        vm.assertEq(bytes32(finality), bytes32(0));
    }

    function test_setSource() public {
        vm.assertTrue(receiver.isSource(SOURCE, SENDER));
        vm.assertFalse(receiver.isSource(SOURCE, STRANGER));
        vm.assertFalse(receiver.isSource(DESTINATION, SENDER));
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.SourceChanged(SOURCE, SENDER, false);
        vm.prank(OWNER);
        receiver.setSource(SOURCE, SENDER, false);
        vm.assertFalse(receiver.isSource(SOURCE, SENDER));
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        receiver.setSource(SOURCE, STRANGER, true);
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.InvalidSource.selector, 0, SENDER));
        vm.prank(OWNER);
        receiver.setSource(0, SENDER, true);
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.InvalidSource.selector, SOURCE, address(0)));
        vm.prank(OWNER);
        receiver.setSource(SOURCE, address(0), true);
    }

    /// The router that was replaced delivers no more, the one that is only proposed not yet.
    function test_router_isReplacedInTwoSteps() public {
        ISimulatedRouter old = router;
        ISimulatedRouter next = _generation2();
        vm.prank(OWNER);
        receiver.proposeRouter(address(next));
        router = next;
        bytes memory payload = _payload(1, 100, block.timestamp);
        _refused(
            _message(SENDER, payload),
            abi.encodeWithSelector(ICcipFeedReceiver.NotRouter.selector, address(next))
        );
        vm.prank(OWNER);
        receiver.confirmRouter(address(next));
        _deliver(payload);
        vm.assertEq(receiver.latestRound(), 1);
        router = old;
        _refused(
            _message(SENDER, _payload(2, 100, block.timestamp)),
            abi.encodeWithSelector(ICcipFeedReceiver.NotRouter.selector, address(old))
        );
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        receiver.proposeRouter(address(old));
        vm.expectRevert(abi.encodeWithSelector(ICcipRouted.InvalidRouter.selector, STRANGER));
        new CcipFeedReceiver(STRANGER, FEED, 8, "ETH / USD", MIN, MAX, OWNER);
    }

    /// It takes no value, but what comes with a message or by accident is not lost.
    function test_withdraw() public {
        vm.assertTrue(link.transfer(address(receiver), 4));
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        receiver.withdraw(address(link), TRANSMITTER, 4);
        vm.prank(OWNER);
        receiver.withdraw(address(link), STRANGER, 4);
        vm.assertEq(link.balanceOf(STRANGER), 4);
    }
}

contract CcipFeedReceiverDeliveryTest is CcipFeedReceiverFixture {
    function test_deliver_emitsAndReadsTheSame() public {
        vm.recordLogs();
        uint256 started = block.timestamp - 20;
        uint256 updated = block.timestamp - 10;
        bytes memory payload =
            CcipRound.encode(CcipRound.Round(FEED, (3 << 64) + 7, 4242, started, updated, 8));
        _deliver(payload);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].emitter, address(receiver));
        vm.assertEq(logs[0].topics[0], IAggregatorV2V3.NewRound.selector);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(1)));
        vm.assertEq(logs[0].topics[2], bytes32(0));
        vm.assertEq(logs[0].data, abi.encode(started));
        vm.assertEq(logs[1].topics[0], IAggregatorV2V3.AnswerUpdated.selector);
        vm.assertEq(logs[1].topics[1], bytes32(uint256(4242)));
        vm.assertEq(logs[1].topics[2], bytes32(uint256(1)));
        vm.assertEq(logs[1].data, abi.encode(updated));
        vm.assertEq(logs[2].topics[0], ICcipFeedReceiver.RoundReceived.selector);
        vm.assertEq(logs[2].topics[1], bytes32(uint256(1)));
        vm.assertEq(logs[2].topics[2], bytes32(uint256((3 << 64) + 7)));
        vm.assertEq(logs[2].topics[3], keccak256(payload));
        bytes memory expected = abi.encode(true, abi.encode(1, 4242, started, updated, 1));
        vm.assertEq(_outcome(address(receiver), abi.encodeCall(receiver.getRoundData, (1))), expected);
        _assertFinal(payload);
    }

    /// The one thing a stranger can do is nothing.
    function testFuzz_deliver_onlyByTheRouter(address sender) public {
        vm.assume(sender != address(router));
        Ccip.Any2EVMMessage memory message = _message(SENDER, _payload(1, 100, block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.NotRouter.selector, sender));
        vm.prank(sender);
        receiver.ccipReceive(message);
    }

    function test_deliver_onlyFromAnAllowedSource() public {
        Ccip.Any2EVMMessage memory message = _message(STRANGER, _payload(1, 100, block.timestamp));
        _sourceRefused(message);
        message.sender = abi.encode(SENDER);
        message.sourceChainSelector = DESTINATION;
        _sourceRefused(message);
        // The chain id of the very chain is no selector.
        message.sourceChainSelector = uint64(block.chainid);
        _sourceRefused(message);
        message.sourceChainSelector = SOURCE;
        // The same address, in forms that are not the one.
        message.sender = abi.encodePacked(SENDER);
        _sourceRefused(message);
        message.sender = abi.encode(SENDER, uint256(0));
        _sourceRefused(message);
        message.sender = abi.encode(uint256(uint160(SENDER)) | 1 << 160);
        _sourceRefused(message);
        message.sender = "";
        _sourceRefused(message);
        message.sender = abi.encode(SENDER);
        _deliver(message, GAS_LIMIT);
        vm.prank(OWNER);
        receiver.setSource(SOURCE, SENDER, false);
        _sourceRefused(message);
    }

    function testFuzz_deliver_onlyFromAnAllowedSource(uint64 selector, address sender) public {
        vm.assume(selector != SOURCE || sender != SENDER);
        Ccip.Any2EVMMessage memory message = _message(sender, _payload(1, 100, block.timestamp));
        message.sourceChainSelector = selector;
        _sourceRefused(message);
    }

    function testFuzz_process_onlyByItself(address sender) public {
        vm.assume(sender != address(receiver));
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.NotSelf.selector, sender));
        vm.prank(sender);
        receiver.process(bytes32(0), _payload(1, 100, block.timestamp));
    }

    function test_deliver_dropsRepetitions() public {
        bytes memory payload = _payload(9, 100, block.timestamp);
        _deliver(payload);
        bytes memory heads = _heads();
        _dropped(payload, 9, 9);
        // The same round in another message.
        _dropped(_payload(9, 101, block.timestamp), 9, 9);
        vm.assertEq(_heads(), heads);
    }

    /// Execution out of order is normal: what is late is dropped, and never reverts.
    function test_deliver_dropsWhatIsLate() public {
        _deliverRound(9, 100);
        _dropped(_payload(8, 100, block.timestamp), 8, 9);
        _dropped(_payload(1, 100, block.timestamp + 100), 1, 9);
        // Even what would have been refused: it is late whatever it says.
        _dropped(_payload(8, MAX + 1, block.timestamp), 8, 9);
        _deliverRound(type(uint80).max, 100);
        _dropped(_payload(uint256(type(uint80).max) - 1, 100, 1), type(uint80).max - 1, type(uint80).max);
        vm.assertEq(receiver.latestRound(), 2);
    }

    function testFuzz_deliver_anyOrder(uint8[12] memory order) public {
        uint256 newest;
        uint256 taken;
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 sourceRound = uint256(order[i]) + 1;
            _deliver(_payload(sourceRound, int256(sourceRound), block.timestamp));
            if (sourceRound > newest) (newest, taken) = (sourceRound, taken + 1);
            vm.assertEq(receiver.latestRound(), taken);
            vm.assertEq(receiver.latestSourceRound(), newest);
            vm.assertEq(receiver.latestAnswer(), int256(newest));
        }
        // What was taken is contiguous, and rises.
        for (uint256 id = 2; id <= taken; ++id) {
            vm.assertTrue(receiver.getAnswer(id - 1) < receiver.getAnswer(id));
        }
    }

    // ----------------------------------------------------------------- times

    /// A delayed round keeps its time: it must look as old as it is.
    function test_times_areTheSources() public {
        uint256 time = block.timestamp;
        vm.warp(time + 3 days);
        _deliver(_payload(1, 100, time));
        vm.assertEq(receiver.latestTimestamp(), time);
    }

    /// A source whose clock runs ahead: Liquity distrusts a time to come, Euler reverts on it.
    function test_times_areNeverToCome() public {
        _deliver(_payload(1, 100, block.timestamp + 1));
        vm.assertEq(receiver.latestTimestamp(), block.timestamp);
        _deliver(_payload(2, 100, type(uint256).max));
        vm.assertEq(receiver.latestTimestamp(), block.timestamp);
    }

    function test_times_neverFall() public {
        _deliver(_payload(1, 100, block.timestamp - 5));
        _deliver(_payload(2, 100, block.timestamp - 9));
        vm.assertEq(receiver.latestTimestamp(), block.timestamp - 5);
        vm.assertEq(receiver.getTimestamp(1), block.timestamp - 5);
    }

    function testFuzz_times(uint256[8] memory started, uint256[8] memory updated, uint8[8] memory steps)
        public
    {
        uint256 startedBefore;
        uint256 updatedBefore;
        for (uint256 i = 0; i < 8; ++i) {
            vm.warp(block.timestamp + steps[i]);
            // Half of them near the present, where it matters.
            uint256 startedAt = i % 2 == 0 ? started[i] : block.timestamp - 300 + started[i] % 600;
            uint256 updatedAt = i % 2 == 0 ? updated[i] : block.timestamp - 300 + updated[i] % 600;
            if (updatedAt == 0) updatedAt = 1;
            _deliver(CcipRound.encode(CcipRound.Round(FEED, i + 1, 1, startedAt, updatedAt, 8)));
            (,, uint256 startedHere, uint256 updatedHere,) = receiver.latestRoundData();
            vm.assertLe(startedBefore, startedHere);
            vm.assertLe(updatedBefore, updatedHere);
            vm.assertLe(startedHere, updatedHere);
            vm.assertLe(updatedHere, block.timestamp);
            // Moved only where it had to be.
            if (updatedAt >= updatedBefore && updatedAt <= block.timestamp) {
                vm.assertEq(updatedHere, updatedAt);
                if (startedAt >= startedBefore && startedAt <= updatedAt) {
                    vm.assertEq(startedHere, startedAt);
                }
            }
            (startedBefore, updatedBefore) = (startedHere, updatedHere);
        }
    }

    /// Tokens that come along mean nothing, and hinder nothing.
    function test_deliver_tokensMeanNothing() public {
        Ccip.Any2EVMMessage memory message = _message(SENDER, _payload(1, 100, block.timestamp));
        message.destTokenAmounts = new Ccip.EVMTokenAmount[](2);
        message.destTokenAmounts[0] = Ccip.EVMTokenAmount(address(link), type(uint256).max);
        _deliver(message, GAS_LIMIT);
        vm.assertEq(receiver.latestRound(), 1);
    }

    function _sourceRefused(Ccip.Any2EVMMessage memory message) private {
        _refused(
            message,
            abi.encodeWithSelector(
                ICcipFeedReceiver.SourceNotAllowed.selector, message.sourceChainSelector, message.sender
            )
        );
    }

    function _dropped(bytes memory payload, uint80 sourceRound, uint80 latest) private {
        uint256 before = receiver.latestRound();
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.RoundDropped(sourceRound, keccak256(payload), latest);
        _deliver(payload);
        vm.assertEq(receiver.latestRound(), before);
        _assertFinal(payload);
    }
}

contract CcipFeedReceiverFailureTest is CcipFeedReceiverFixture {
    function setUp() public override {
        super.setUp();
        _deliverRound(5, 100);
    }

    /// Exactly seven words: one byte less or more, or none at all, is another message.
    function test_failure_ofTheLength() public {
        bytes memory payload = _payload(6, 100, block.timestamp);
        uint256[6] memory lengths = [uint256(0), 1, 32, 223, 225, 256];
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes memory cut = new bytes(lengths[i]);
            for (uint256 j = 0; j < cut.length && j < payload.length; ++j) {
                cut[j] = payload[j];
            }
            _kept(cut, abi.encodeWithSelector(ICcipFeedReceiver.PayloadLength.selector, lengths[i], 224));
        }
    }

    /// The largest payload that CCIP carries, with the gas of an ordinary lane.
    function test_failure_ofAnOversizedPayload() public {
        _kept(
            new bytes(30_000), abi.encodeWithSelector(ICcipFeedReceiver.PayloadLength.selector, 30_000, 224)
        );
    }

    function test_failure_ofEachField() public {
        CcipRound.Round memory round = _round();
        round.feedId = keccak256("BTC / USD");
        _keptRound(round, abi.encodeWithSelector(ICcipFeedReceiver.WrongFeed.selector, round.feedId, FEED));
        uint256[3] memory decimals = [uint256(18), 8 + 256, 7];
        for (uint256 i = 0; i < decimals.length; ++i) {
            round = _round();
            round.decimals = decimals[i];
            _keptRound(
                round,
                abi.encodeWithSelector(ICcipFeedReceiver.WrongDecimals.selector, decimals[i], uint256(8))
            );
        }
        // Ids that name round 6 when they are cut.
        uint256[4] memory ids = [uint256(0), (1 << 80) + 6, (1 << 128) + 6, type(uint256).max];
        for (uint256 i = 0; i < ids.length; ++i) {
            round = _round();
            round.roundId = ids[i];
            _keptRound(
                round,
                abi.encodeWithSelector(ICcipFeedReceiver.InvalidRound.selector, ids[i], block.timestamp)
            );
        }
        round = _round();
        round.updatedAt = 0;
        _keptRound(round, abi.encodeWithSelector(ICcipFeedReceiver.InvalidRound.selector, 6, 0));
        int256[4] memory answers = [MIN - 1, MAX + 1, type(int256).min, type(int256).max];
        for (uint256 i = 0; i < answers.length; ++i) {
            round = _round();
            round.answer = answers[i];
            _keptRound(
                round,
                abi.encodeWithSelector(ICcipFeedReceiver.AnswerOutOfBounds.selector, answers[i], MIN, MAX)
            );
        }
    }

    function test_failure_ofTheVersion() public {
        uint256[3] memory versions = [uint256(0), 2, (1 << 128) + 1];
        for (uint256 i = 0; i < versions.length; ++i) {
            _kept(
                abi.encode(versions[i], _round()),
                abi.encodeWithSelector(ICcipFeedReceiver.PayloadVersion.selector, versions[i], 1)
            );
        }
    }

    /// Whatever an allowed source says, the router hears of success, and only a right round changes anything.
    function testFuzz_failure_anyPayload(bytes memory payload) public {
        bytes memory heads = _heads();
        _deliver(payload);
        vm.assertEq(_heads(), heads);
        (bool failed,) = receiver.failure(keccak256(payload));
        vm.assertTrue(failed);
    }

    /// A failed message does not block those after it.
    function test_failure_blocksNothing() public {
        _kept(_payload(6, MAX + 1, block.timestamp), _outOfBounds(MAX + 1));
        _deliverRound(7, 107);
        vm.assertEq(receiver.latestAnswer(), 107);
        vm.assertEq(receiver.latestRound(), 2);
    }

    /// With whatever gas a lane was given: either the router is told of failure and nothing has changed, or the round
    /// was taken, or the message was kept. Nothing is lost.
    function test_outOfGas_losesNothing() public {
        bytes memory payload = _payload(6, 106, block.timestamp);
        Ccip.Any2EVMMessage memory message = _message(SENDER, payload);
        bool[3] memory seen;
        for (uint256 gasLimit = 20_000; gasLimit < 180_000; gasLimit += 2500) {
            uint256 snapshot = vm.snapshotState();
            (bool success,,) = router.routeMessage(message, 5000, gasLimit, address(receiver));
            (bool failed, bytes4 reason) = receiver.failure(keccak256(payload));
            bool taken = receiver.latestRound() == 2;
            vm.assertEq(bytes32(reason), bytes32(0));
            vm.assertTrue(success ? taken != failed : !taken && !failed);
            uint256 kind = taken ? 2 : failed ? 1 : 0;
            seen[kind] = true;
            // More gas never makes it worse.
            for (uint256 better = kind + 1; better < 3; ++better) {
                vm.assertFalse(seen[better]);
            }
            vm.revertToState(snapshot);
        }
        vm.assertTrue(seen[0] && seen[1] && seen[2]);
    }

    function test_outOfGas_isRetried() public {
        bytes memory payload = _payload(6, 106, block.timestamp);
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.MessageFailed(keccak256(payload), SOURCE, abi.encode(SENDER), payload, "");
        _deliver(_message(SENDER, payload), 90_000);
        vm.assertEq(receiver.latestRound(), 1);
        _retry(payload);
        vm.assertEq(receiver.latestAnswer(), 106);
        _assertFinal(payload);
    }

    /// The reserve holds for what can be longest: a payload of the right length and the longest reason.
    function test_outOfGas_reserveCoversTheKeeping() public {
        bytes memory payload = _payload(6, type(int256).min, block.timestamp);
        // Just above the reserve: processing starts with next to nothing.
        for (uint256 gasLimit = 66_000; gasLimit < 80_000; gasLimit += 500) {
            uint256 snapshot = vm.snapshotState();
            (bool success,,) =
                router.routeMessage(_message(SENDER, payload), 5000, gasLimit, address(receiver));
            (bool failed,) = receiver.failure(keccak256(payload));
            vm.assertTrue(success == failed);
            if (gasLimit >= 70_000) vm.assertTrue(failed);
            vm.revertToState(snapshot);
        }
    }

    // ----------------------------------------------------------------- retry

    /// The bounds of this receiver never admit it, so the message stays, however often it is tried.
    function test_retry_thatFailsKeepsTheMessage() public {
        bytes memory payload = _payload(6, MAX + 1, block.timestamp);
        _kept(payload, _outOfBounds(MAX + 1));
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(_outOfBounds(MAX + 1));
            _retry(payload);
        }
        (bool failed,) = receiver.failure(keccak256(payload));
        vm.assertTrue(failed);
    }

    function test_retry_isFinal() public {
        bytes memory payload = _starved(6);
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.MessageRecovered(keccak256(payload));
        _retry(payload);
        vm.assertEq(receiver.latestRound(), 2);
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.NotFailed.selector, keccak256(payload)));
        _retry(payload);
        // Nor does it make a second round when it comes again.
        _deliver(payload);
        vm.assertEq(receiver.latestRound(), 2);
    }

    /// What was overtaken meanwhile is dropped, and final.
    function test_retry_ofAStaleRound() public {
        bytes memory payload = _starved(6);
        _deliverRound(7, 107);
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.RoundDropped(6, keccak256(payload), 7);
        _retry(payload);
        vm.assertEq(receiver.latestAnswer(), 107);
        _assertFinal(payload);
    }

    function test_retry_onlyWhatFailedAndByTheOwner() public {
        bytes memory payload = _starved(6);
        bytes32 messageId = keccak256(payload);
        bytes memory sender = abi.encode(SENDER);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        receiver.retry(messageId, SOURCE, sender, payload);
        bytes memory refusal = abi.encodeWithSelector(ICcipFeedReceiver.NotFailed.selector, messageId);
        vm.expectRevert(refusal);
        vm.prank(OWNER);
        receiver.retry(messageId, SOURCE, sender, _payload(6, 999, block.timestamp));
        vm.expectRevert(refusal);
        vm.prank(OWNER);
        receiver.retry(messageId, DESTINATION, sender, payload);
        vm.expectRevert(refusal);
        vm.prank(OWNER);
        receiver.retry(messageId, SOURCE, abi.encode(STRANGER), payload);
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.NotFailed.selector, bytes32(0)));
        vm.prank(OWNER);
        receiver.retry(bytes32(0), SOURCE, sender, payload);
        // A source that lost its right does not get a round in through the back door.
        vm.prank(OWNER);
        receiver.setSource(SOURCE, SENDER, false);
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedReceiver.SourceNotAllowed.selector, SOURCE, sender));
        _retry(payload);
    }

    /// Its owner decides when a failed message is tried again, not whoever repeats it.
    function test_failure_repeated() public {
        bytes memory payload = _starved(6);
        vm.expectEmit(true, true, true, true, address(receiver));
        emit ICcipFeedReceiver.MessageRepeated(keccak256(payload));
        _deliver(payload);
        vm.assertEq(receiver.latestRound(), 1);
        _retry(payload);
        vm.assertEq(receiver.latestRound(), 2);
    }

    /// @dev A good message that was kept for want of gas.
    function _starved(uint256 sourceRound) private returns (bytes memory payload) {
        payload = _payload(sourceRound, 106, block.timestamp);
        _deliver(_message(SENDER, payload), 90_000);
        (bool failed,) = receiver.failure(keccak256(payload));
        vm.assertTrue(failed);
    }

    function _round() private view returns (CcipRound.Round memory) {
        return CcipRound.Round(FEED, 6, 106, block.timestamp, block.timestamp, 8);
    }

    function _keptRound(CcipRound.Round memory round, bytes memory reason) private {
        _kept(CcipRound.encode(round), reason);
    }

    function _outOfBounds(int256 answer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICcipFeedReceiver.AnswerOutOfBounds.selector, answer, MIN, MAX);
    }
}
