// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IReportAggregator} from "../../src/interfaces/report/IReportAggregator.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {ReferenceFeed} from "../base/ReferenceFeed.sol";
import {Vm} from "../base/Vm.sol";
import {Signing} from "./Signing.sol";
import {ReportAggregatorFixture} from "./ReportAggregatorFixture.sol";

contract ReportAggregatorConstructorTest is Signing {
    function test_constructor() public {
        ReportAggregator feed = new ReportAggregator(18, "A", -5, 7, 60, OWNER, _signers(4), 1);
        vm.assertEq(feed.decimals(), 18);
        vm.assertEq(feed.minAnswer(), int256(-5));
        vm.assertEq(feed.maxAnswer(), int256(7));
        vm.assertEq(feed.maxAgeSeconds(), 60);
        vm.assertEq(feed.owner(), OWNER);
        vm.assertFalse(feed.paused());
        vm.assertEq(feed.typeAndVersion(), "ReportAggregator 1.0.0");
        (uint256 configCount,,) = feed.configuration();
        vm.assertEq(configCount, 1);
    }

    /// A bound that 64 bits cannot reach would be a bound in words only.
    function test_constructor_refusesBounds() public {
        _refusedBounds(1, 0);
        _refusedBounds(int256(type(int64).min) - 1, 0);
        _refusedBounds(0, int256(type(int64).max) + 1);
        _refusedBounds(type(int256).max, type(int256).min);
        _reportAggregator(4, 1);
    }

    function test_constructor_refusesNoAgeAtAll() public {
        address[] memory signers = _signers(4);
        vm.expectRevert(IReportAggregator.InvalidMaxAge.selector);
        new ReportAggregator(8, "", 0, 1, 0, OWNER, signers, 1);
    }

    function test_constructor_refusesSigners() public {
        vm.expectRevert(abi.encodeWithSelector(ISignerSet.InvalidQuorum.selector, 0, 1));
        new ReportAggregator(8, "", 0, 1, 60, OWNER, new address[](0), 1);
    }

    function _refusedBounds(int256 min, int256 max) private {
        address[] memory signers = _signers(4);
        vm.expectRevert(abi.encodeWithSelector(IReportAggregator.InvalidBounds.selector, min, max));
        new ReportAggregator(8, "", min, max, 60, OWNER, signers, 1);
    }
}

contract ReportAggregatorTransmitTest is ReportAggregatorFixture {
    /// Both events come from the feed's own address, nobody started the round, and they say what the reads say.
    function test_transmit_emitsBothEvents() public {
        _transmitRound(feed, 1);
        vm.warp(block.timestamp + 60);
        bytes memory data = _signed(_report(2, block.timestamp - 20, 5, -42));
        vm.recordLogs();
        vm.prank(STRANGER);
        _send(address(feed), data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
        vm.assertEq(logs[0].emitter, address(feed));
        vm.assertEq(logs[0].topics[0], IAggregatorV2V3.NewRound.selector);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(2)));
        vm.assertEq(logs[0].topics[2], bytes32(0));
        vm.assertEq(logs[0].data, abi.encode(block.timestamp));
        vm.assertEq(logs[1].emitter, address(feed));
        vm.assertEq(logs[1].topics[0], IAggregatorV2V3.AnswerUpdated.selector);
        vm.assertEq(logs[1].topics[1], bytes32(type(uint256).max - 41));
        vm.assertEq(logs[1].topics[2], bytes32(uint256(2)));
        vm.assertEq(logs[1].data, abi.encode(block.timestamp));
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt,) = feed.latestRoundData();
        vm.assertEq(abi.encode(roundId, answer), abi.encode(2, int256(-42)));
        vm.assertEq(abi.encode(startedAt, updatedAt), abi.encode(block.timestamp, block.timestamp));
    }

    function test_transmit_selector() public view {
        vm.assertEq(bytes32(feed.transmit.selector), bytes32(bytes4(keccak256("transmit()"))));
    }

    /// Whichever f + 1 sign and however many more than 2f answer, the answer is the middle of the sorted answers.
    function testFuzz_transmit_anyQuorum(uint256 seed) public {
        uint8 f = uint8(1 + _draw(seed, 0) % 10);
        uint256 n = 3 * uint256(f) + 1 + _draw(seed, 1) % (32 - 3 * uint256(f));
        feed = _reportAggregator(n, f);
        int64[] memory answers = new int64[](2 * uint256(f) + 1 + _draw(seed, 2) % (n - 2 * uint256(f)));
        for (uint256 i = 0; i < answers.length; ++i) {
            uint256 random = _draw(seed, 100 + i);
            answers[i] = random % 3 == 0 ? int64(uint64(random >> 8)) : int64(int256((random >> 8) % 5)) - 2;
        }
        _sort(answers);
        bytes memory report = _report(1, block.timestamp, answers);
        bytes32 digest = _digestOf(_domainOf(block.chainid, address(feed), 1, _signers(n), f), report);
        vm.assertEq(feed.digestOf(report), digest);
        _send(address(feed), _calldata(report, _attestBy(digest, _choose(seed, n, uint256(f) + 1))));
        vm.assertEq(feed.latestAnswer(), int256(answers[answers.length / 2]));
        // The liars are at most f, so an honest answer is on either side.
        vm.assertTrue(answers.length / 2 >= f && answers.length - 1 - answers.length / 2 >= f);
    }

    function test_transmit_takesTheUpperOfTwoMiddleAnswers() public {
        int64[] memory answers = new int64[](6);
        for (uint256 i = 0; i < 6; ++i) {
            answers[i] = int64(int256(i * i)) - 8;
        }
        _send(address(feed), _signed(_report(1, block.timestamp, answers)));
        vm.assertEq(feed.latestAnswer(), int256(1));
    }

    /// Half of all signatures have a high s in the form with v 27; both halves are good.
    function test_transmit_takesHighAndLowS() public {
        uint256 high;
        for (uint256 round = 1; round <= 16; ++round) {
            bytes memory report = _next(int256(round));
            bytes memory data = _signed(report);
            uint256 s;
            assembly ("memory-safe") {
                s := mload(add(data, mload(data)))
            }
            if (s > CURVE_ORDER / 2) ++high;
            _send(address(feed), data);
            vm.assertEq(feed.latestAnswer(), int256(round));
        }
        vm.assertTrue(high > 0 && high < 16);
    }

    /// Thousands of rounds from seconds to years apart, each read back and compared with one word per number.
    function test_transmit_readBackOfThousands() public {
        feed = _reportAggregator(4, 1);
        ReferenceFeed plain = new ReferenceFeed();
        bytes32 domain = _domainOf(block.chainid, address(feed), 1, _signers(4), 1);
        uint256 rounds = 2000;
        for (uint256 i = 0; i < rounds; ++i) {
            uint256 random = _draw(7, i);
            uint256 kind = random % 16;
            uint256 gap = kind == 0 ? random % (3 * 365 days) : kind < 4 ? random % 100_000 : random % 90;
            // The years of 32 bits would not last for 2000 such gaps.
            if (block.timestamp > 4_000_000_000) gap %= 90;
            vm.warp(block.timestamp + gap);
            int256 answer = kind < 8 ? int256(random >> 200) - (1 << 54) : int64(uint64(random >> 64));
            bytes memory report = _report(i + 1, block.timestamp, 3, answer);
            _send(address(feed), _calldata(report, _attest(_digestOf(domain, report), 1)));
            plain.append(answer);
        }
        vm.assertEq(feed.latestRound(), rounds);
        for (uint256 round = 0; round <= rounds + 1; ++round) {
            bytes memory call = abi.encodeCall(feed.getRoundData, (uint80(round)));
            vm.assertEq(_outcome(address(feed), call), _outcome(address(plain), call));
        }
    }

    function test_reportState_saysWhatTheReadsSay() public {
        (uint256 latest, int256 answer, uint256 updatedAt, bool paused, bytes32 domain) = feed.reportState();
        vm.assertEq(
            abi.encode(latest, answer, updatedAt, paused, domain), abi.encode(0, 0, 0, false, _domain())
        );
        _transmitRound(feed, -7);
        vm.prank(OWNER);
        feed.pause();
        (latest, answer, updatedAt, paused, domain) = feed.reportState();
        vm.assertEq(
            abi.encode(latest, answer, updatedAt, paused, domain),
            abi.encode(1, int256(-7), block.timestamp, true, _domain())
        );
    }

    function _choose(uint256 seed, uint256 n, uint256 count) private pure returns (uint32 bitmap) {
        for (uint256 i = 0; count != 0; ++i) {
            uint32 bit = uint32(1) << uint32(_draw(seed, 1000 + i) % n);
            if (bitmap & bit != 0) continue;
            bitmap |= bit;
            --count;
        }
    }

    function _sort(int64[] memory values) private pure {
        for (uint256 i = 0; i < values.length; ++i) {
            for (uint256 j = i + 1; j < values.length; ++j) {
                if (values[j] < values[i]) (values[i], values[j]) = (values[j], values[i]);
            }
        }
    }
}

contract ReportAggregatorPauseTest is ReportAggregatorFixture {
    function test_pause_stopsReportsAndKeepsReads() public {
        _transmitRound(feed, 5);
        bytes memory read = _outcome(address(feed), abi.encodeCall(feed.latestRoundData, ()));
        vm.expectEmit(true, true, true, true, address(feed));
        emit IReportAggregator.PauseChanged(true, OWNER);
        vm.prank(OWNER);
        feed.pause();
        vm.assertTrue(feed.paused());
        bytes memory data = _signed(_next(6));
        _refusedWith(data, abi.encodeWithSelector(IReportAggregator.Paused.selector));
        vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.latestRoundData, ())), read);

        vm.expectEmit(true, true, true, true, address(feed));
        emit IReportAggregator.PauseChanged(false, OWNER);
        vm.prank(OWNER);
        feed.unpause();
        vm.assertFalse(feed.paused());
        _send(address(feed), data);
        vm.assertEq(feed.latestAnswer(), int256(6));
    }

    function test_pause_twiceIsSilent() public {
        vm.recordLogs();
        vm.prank(OWNER);
        feed.unpause();
        vm.prank(OWNER);
        feed.pause();
        vm.prank(OWNER);
        feed.pause();
        vm.assertEq(vm.getRecordedLogs().length, 1);
        vm.assertTrue(feed.paused());
    }

    function test_pause_onlyByTheOwner() public {
        vm.expectRevert(ONLY_OWNER);
        feed.pause();
        vm.expectRevert(ONLY_OWNER);
        feed.unpause();
    }
}
