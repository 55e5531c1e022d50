// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {IAggregator} from "../src/interfaces/IAggregator.sol";
import {IAggregatorV2V3} from "../src/interfaces/IAggregatorV2V3.sol";
import {Fixture} from "./base/Fixture.sol";
import {Vm} from "./base/Vm.sol";

contract AggregatorConstructorTest is Fixture {
    function test_constructor() public {
        Aggregator feed = _aggregator(18, -5, 7);
        vm.assertEq(feed.decimals(), 18);
        vm.assertEq(feed.minAnswer(), int256(-5));
        vm.assertEq(feed.maxAnswer(), int256(7));
        vm.assertEq(feed.owner(), OWNER);
        vm.assertTrue(feed.isTransmitter(TRANSMITTER));
        vm.assertFalse(feed.paused());
        vm.assertEq(feed.typeAndVersion(), "Aggregator 1.0.0");
    }

    function test_constructor_mayNameNoTransmitter() public {
        Aggregator feed = new Aggregator(8, "", 0, 0, OWNER, address(0), 0);
        vm.assertFalse(feed.isTransmitter(address(0)));
        vm.assertFalse(feed.isTransmitter(OWNER));
    }

    /// An answer wider than 176 bits would be cut where it is stored; it must never be accepted.
    function test_constructor_refusesBounds() public {
        _refused(1, 0);
        _refused(type(int256).max, type(int256).min);
        _refused(int256(type(int176).min) - 1, 0);
        _refused(0, int256(type(int176).max) + 1);
        _aggregator(8, type(int176).min, type(int176).max);
    }

    function _refused(int256 min, int256 max) private {
        vm.expectRevert(abi.encodeWithSelector(IAggregator.InvalidBounds.selector, min, max));
        new Aggregator(8, "ETH / USD", min, max, OWNER, TRANSMITTER, 0);
    }
}

contract AggregatorSubmitTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator(8, -1e12, 1e15);
    }

    /// Both events come from the feed's own address, `NewRound` first, and say what the reads say.
    function test_submit_emitsBothEvents() public {
        _seed(feed, 2);
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        feed.submit(3, -42);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);

        vm.assertEq(logs[0].emitter, address(feed));
        vm.assertEq(logs[0].topics.length, 3);
        vm.assertEq(logs[0].topics[0], 0x0109fc6f55cf40689f02fbaad7af7fe7bbac8a3d2186600afc7d3e10cac60271);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(3)));
        vm.assertEq(logs[0].topics[2], bytes32(uint256(uint160(TRANSMITTER))));
        vm.assertEq(logs[0].data, abi.encode(block.timestamp));

        vm.assertEq(logs[1].emitter, address(feed));
        vm.assertEq(logs[1].topics.length, 3);
        vm.assertEq(logs[1].topics[0], 0x0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f);
        vm.assertEq(logs[1].topics[1], bytes32(uint256(type(uint256).max - 41)));
        vm.assertEq(logs[1].topics[2], bytes32(uint256(3)));
        vm.assertEq(logs[1].data, abi.encode(block.timestamp));
    }

    /// A resend of a round that was written must not make a second one.
    function test_submit_refusesTheSameRoundAgain() public {
        _seed(feed, 1);
        _stale(1, 2);
        _seed(feed, 1);
        _stale(1, 3);
        _stale(2, 3);
    }

    function test_submit_refusesAGap() public {
        _stale(0, 1);
        _stale(2, 1);
        _seed(feed, 3);
        _stale(5, 4);
        _stale(0, 4);
    }

    /// Flux cuts the id to 32 bits first and takes 2^32 + 1 for round 1.
    function test_submit_comparesTheWholeRoundId() public {
        _stale(uint256(1 << 31) + 1, 1);
        _stale(uint256(1 << 32) + 1, 1);
        _stale(uint256(1 << 80) + 1, 1);
        _stale(uint256(1 << 255) + 1, 1);
        _stale(type(uint256).max, 1);
    }

    function testFuzz_submit_onlyTheNextRound(uint256 roundId, uint8 written) public {
        uint256 rounds = written % 8;
        _seed(feed, rounds);
        vm.assume(roundId != rounds + 1);
        _stale(roundId, rounds + 1);
        vm.assertEq(feed.latestRound(), rounds);
    }

    /// Bounds refuse, they never clamp; the bounds themselves are inside.
    function test_submit_bounds() public {
        _submit(feed, -1e12);
        vm.assertEq(feed.latestAnswer(), int256(-1e12));
        _submit(feed, 1e15);
        vm.assertEq(feed.latestAnswer(), int256(1e15));
        _outOfBounds(-1e12 - 1);
        _outOfBounds(1e15 + 1);
        _outOfBounds(type(int256).min);
        _outOfBounds(type(int256).max);
        vm.assertEq(feed.latestRound(), 2);
    }

    function testFuzz_submit_refusesOutOfBounds(int256 answer) public {
        vm.assume(answer < -1e12 || answer > 1e15);
        _outOfBounds(answer);
        vm.assertEq(feed.latestRound(), 0);
    }

    /// Owning the feed gives no right to submit.
    function test_submit_notByTheOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IAggregator.NotTransmitter.selector, OWNER));
        vm.prank(OWNER);
        feed.submit(1, 1);
    }

    function testFuzz_submit_onlyByATransmitter(address sender) public {
        vm.assume(sender != TRANSMITTER);
        vm.expectRevert(abi.encodeWithSelector(IAggregator.NotTransmitter.selector, sender));
        vm.prank(sender);
        feed.submit(1, 1);
    }

    /// The order of the refusals tells an operator the first thing to mend.
    function test_submit_orderOfRefusals() public {
        vm.prank(OWNER);
        feed.pause();
        vm.expectRevert(abi.encodeWithSelector(IAggregator.NotTransmitter.selector, STRANGER));
        vm.prank(STRANGER);
        feed.submit(9, type(int256).max);
        vm.expectRevert(IAggregator.Paused.selector);
        vm.prank(TRANSMITTER);
        feed.submit(9, type(int256).max);
        vm.prank(OWNER);
        feed.unpause();
        vm.expectRevert(abi.encodeWithSelector(IAggregator.StaleRound.selector, 9, 1));
        vm.prank(TRANSMITTER);
        feed.submit(9, type(int256).max);
    }

    function _stale(uint256 given, uint256 expected) private {
        vm.expectRevert(abi.encodeWithSelector(IAggregator.StaleRound.selector, given, expected));
        vm.prank(TRANSMITTER);
        feed.submit(given, 1);
    }

    function _outOfBounds(int256 answer) private {
        uint256 next = feed.latestRound() + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IAggregator.AnswerOutOfBounds.selector, answer, int256(-1e12), int256(1e15)
            )
        );
        vm.prank(TRANSMITTER);
        feed.submit(next, answer);
    }
}

contract AggregatorSetTransmitterTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator();
    }

    /// Rotation: the new one is granted before the old one is revoked, so the feed never stands still.
    function test_setTransmitter_rotates() public {
        vm.expectEmit(true, true, true, true, address(feed));
        emit IAggregator.TransmitterChanged(STRANGER, true);
        vm.prank(OWNER);
        feed.setTransmitter(STRANGER, true);
        vm.assertTrue(feed.isTransmitter(STRANGER) && feed.isTransmitter(TRANSMITTER));

        vm.expectEmit(true, true, true, true, address(feed));
        emit IAggregator.TransmitterChanged(TRANSMITTER, false);
        vm.prank(OWNER);
        feed.setTransmitter(TRANSMITTER, false);
        vm.assertFalse(feed.isTransmitter(TRANSMITTER));

        vm.prank(STRANGER);
        feed.submit(1, 1);
        vm.expectRevert(abi.encodeWithSelector(IAggregator.NotTransmitter.selector, TRANSMITTER));
        vm.prank(TRANSMITTER);
        feed.submit(2, 1);
    }

    function test_setTransmitter_againChangesNothing() public {
        vm.recordLogs();
        vm.prank(OWNER);
        feed.setTransmitter(TRANSMITTER, true);
        vm.prank(OWNER);
        feed.setTransmitter(STRANGER, false);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertTrue(feed.isTransmitter(TRANSMITTER));
    }

    function test_setTransmitter_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IAggregator.InvalidTransmitter.selector, address(0)));
        vm.prank(OWNER);
        feed.setTransmitter(address(0), true);
        // A transmitter administers nothing.
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.setTransmitter(STRANGER, true);
    }
}

contract AggregatorPauseTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator();
    }

    /// The pause bit shares a word with the rounds: it must neither change one nor move into the archive.
    function test_pause_stopsWritesAndKeepsReads() public {
        for (uint256 rounds = 0; rounds < 8; ++rounds) {
            bytes memory latest = _outcome(address(feed), abi.encodeCall(feed.latestRoundData, ()));
            vm.prank(OWNER);
            feed.pause();
            vm.assertTrue(feed.paused());
            vm.assertEq(feed.latestRound(), rounds);
            vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.latestRoundData, ())), latest);
            vm.expectRevert(IAggregator.Paused.selector);
            vm.prank(TRANSMITTER);
            feed.submit(rounds + 1, 5);
            vm.prank(OWNER);
            feed.unpause();
            vm.assertFalse(feed.paused());
            _seed(feed, 1);
        }
        for (uint256 round = 1; round <= 8; ++round) {
            vm.assertEq(feed.getAnswer(round), int256(1000e8));
        }
    }

    function test_pause_emitsOnce() public {
        vm.expectEmit(true, true, true, true, address(feed));
        emit IAggregator.PauseChanged(true, OWNER);
        vm.prank(OWNER);
        feed.pause();
        vm.recordLogs();
        vm.prank(OWNER);
        feed.pause();
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IAggregator.PauseChanged(false, OWNER);
        vm.prank(OWNER);
        feed.unpause();
        vm.recordLogs();
        vm.prank(OWNER);
        feed.unpause();
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_pause_onlyByTheOwner() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.pause();
        vm.prank(OWNER);
        feed.pause();
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.unpause();
    }
}

contract AggregatorFeedStateTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator();
    }

    function test_feedState_isZeroWithoutData() public view {
        _assertState(TRANSMITTER, 0, 0, 0, false, true);
        _assertState(OWNER, 0, 0, 0, false, false);
    }

    function test_feedState_saysWhatTheReadsSay() public {
        for (uint256 round = 1; round <= 5; ++round) {
            vm.warp(block.timestamp + 40_000);
            _submit(feed, -int256(round) * 1e20);
            _assertState(TRANSMITTER, round, -int256(round) * 1e20, block.timestamp, false, true);
        }
        uint256 writtenAt = block.timestamp;
        vm.warp(block.timestamp + 1);
        vm.prank(OWNER);
        feed.pause();
        vm.prank(OWNER);
        feed.setTransmitter(TRANSMITTER, false);
        _assertState(TRANSMITTER, 5, -5e20, writtenAt, true, false);
    }

    function _assertState(
        address transmitter,
        uint256 round,
        int256 answer,
        uint256 updatedAt,
        bool paused,
        bool authorised
    ) private view {
        bytes memory expected = abi.encode(true, abi.encode(round, answer, updatedAt, paused, authorised));
        vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.feedState, (transmitter))), expected);
    }
}

/// @dev What the feed does not do: nothing else can write a round.
contract AggregatorSurfaceTest is Fixture {
    /// A call without a known selector, or with value, is refused.
    function test_surface_refusesAnythingElse() public {
        address feed = address(_aggregator());
        (bool ok,) = feed.call(hex"deadbeef");
        vm.assertFalse(ok);
        (ok,) = feed.call("");
        vm.assertFalse(ok);
    }

    /// Two's complement of the answer in a topic reads back as the same number.
    function testFuzz_submit_eventAndReadAgree(int176 answer) public {
        Aggregator feed = _aggregator();
        vm.expectEmit(true, true, true, true, address(feed));
        emit IAggregatorV2V3.AnswerUpdated(answer, 1, block.timestamp);
        _submit(feed, answer);
        vm.assertEq(feed.latestAnswer(), int256(answer));
    }
}
