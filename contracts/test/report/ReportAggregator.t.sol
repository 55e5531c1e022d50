// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IReportAggregator} from "../../src/interfaces/report/IReportAggregator.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {ReferenceFeed} from "../base/ReferenceFeed.sol";
import {Vm} from "../base/Vm.sol";
import {Signing} from "./Signing.sol";

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

/// @dev A feed of seven signers, two of whom may be faulty: three sign, five to seven answer.
abstract contract ReportAggregatorFixture is Signing {
    uint256 internal constant SIGNERS = 7;
    uint8 internal constant FAULTS = 2;

    ReportAggregator internal feed;

    function setUp() public virtual {
        feed = _reportAggregator(SIGNERS, FAULTS);
    }

    function _domain() internal view returns (bytes32) {
        return _domainOf(block.chainid, address(feed), 1, _signers(SIGNERS), FAULTS);
    }

    function _digest(bytes memory report) internal view returns (bytes32) {
        return _digestOf(_domain(), report);
    }

    /// @dev The report as the next round's, observed now, with five answers.
    function _next(int256 answer) internal view returns (bytes memory) {
        return _report(feed.latestRound() + 1, block.timestamp, 5, answer);
    }

    function _calldata(bytes memory report, bytes memory attestation) internal view returns (bytes memory) {
        return bytes.concat(feed.transmit.selector, report, attestation);
    }

    function _signed(bytes memory report) internal view returns (bytes memory) {
        return _calldata(report, _attest(_digest(report), FAULTS));
    }

    /// @dev A report that is refused leaves nothing behind.
    function _refusedWith(bytes memory data, bytes memory reason) internal {
        uint256 before = feed.latestRound();
        _refused(address(feed), data, reason);
        vm.assertEq(feed.latestRound(), before);
    }

    function _refusedAnyhow(bytes memory data) internal {
        uint256 before = feed.latestRound();
        (bool ok,) = address(feed).call(data);
        vm.assertFalse(ok);
        vm.assertEq(feed.latestRound(), before);
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

contract ReportAggregatorRefusalTest is ReportAggregatorFixture {
    // -------------------------------------------------------------- rounds

    /// A report is good once, whoever sends it again.
    function test_refuses_replay() public {
        bytes memory data = _signed(_next(5));
        _send(address(feed), data);
        _refusedWith(data, abi.encodeWithSelector(IReportAggregator.StaleRound.selector, 1, 2));
        _transmitRound(feed, 6);
        _refusedWith(data, abi.encodeWithSelector(IReportAggregator.StaleRound.selector, 1, 3));
    }

    function testFuzz_refuses_anyOtherRound(uint32 roundId) public {
        _transmitRound(feed, 1);
        _transmitRound(feed, 1);
        vm.assume(roundId != 3);
        _refusedWith(
            _signed(_report(roundId, block.timestamp, 5, 1)),
            abi.encodeWithSelector(IReportAggregator.StaleRound.selector, roundId, 3)
        );
    }

    // --------------------------------------------------------------- times

    function test_refuses_timesOutside() public {
        _tooEarly(block.timestamp - MAX_AGE - 1, block.timestamp - MAX_AGE);
        _tooEarly(0, block.timestamp - MAX_AGE);
        _inFuture(block.timestamp + 1);
        _inFuture(type(uint32).max);
        _send(address(feed), _signed(_report(1, block.timestamp - MAX_AGE, 5, 1)));
        _send(address(feed), _signed(_report(2, block.timestamp, 5, 2)));
    }

    /// A report signed for a round and held back while the round stays open must not come back after the round before
    /// it was written: that is what the rule against early observations is for.
    function test_refuses_aReportFromBeforeTheRoundBefore() public {
        bytes memory held = _signed(_report(2, block.timestamp, 5, 666));
        vm.warp(block.timestamp + 10);
        _transmitRound(feed, 1);
        _refusedWith(
            held,
            abi.encodeWithSelector(
                IReportAggregator.ObservedTooEarly.selector, block.timestamp - 10, block.timestamp
            )
        );
        _tooEarly(block.timestamp - 1, block.timestamp);
        // Observed in the very second of the round before: the same block may hold both.
        _send(address(feed), _signed(_report(2, block.timestamp, 5, 1)));
    }

    /// Long after the last round the maximum age judges alone.
    function testFuzz_refuses_timesOutside(uint32 observedAt, uint32 gap) public {
        _transmitRound(feed, 1);
        uint256 written = block.timestamp;
        vm.warp(block.timestamp + gap % 1000);
        uint256 oldest = block.timestamp - MAX_AGE < written ? written : block.timestamp - MAX_AGE;
        if (observedAt > block.timestamp) _inFuture(observedAt);
        else if (observedAt < oldest) _tooEarly(observedAt, oldest);
        uint256 inside = oldest + observedAt % (block.timestamp - oldest + 1);
        _send(address(feed), _signed(_report(2, inside, 5, 1)));
        vm.assertEq(feed.latestRound(), 2);
    }

    function test_refuses_everythingAfterFourBytesOfTime() public {
        vm.warp(uint256(type(uint32).max) + MAX_AGE);
        _send(address(feed), _signed(_report(1, type(uint32).max, 5, 1)));
        vm.warp(block.timestamp + 1);
        _tooEarly(type(uint32).max, uint256(type(uint32).max) + MAX_AGE);
    }

    function _tooEarly(uint256 observedAt, uint256 oldest) private {
        _refusedWith(
            _signed(_report(feed.latestRound() + 1, observedAt, 5, 1)),
            abi.encodeWithSelector(IReportAggregator.ObservedTooEarly.selector, observedAt, oldest)
        );
    }

    function _inFuture(uint256 observedAt) private {
        _refusedWith(
            _signed(_report(feed.latestRound() + 1, observedAt, 5, 1)),
            abi.encodeWithSelector(IReportAggregator.ObservedInFuture.selector, observedAt, block.timestamp)
        );
    }

    // ------------------------------------------------------------- answers

    function test_refuses_tooFewOrTooManyAnswers() public {
        for (uint256 count = 0; count <= 12; ++count) {
            bytes memory data = _signed(_report(feed.latestRound() + 1, block.timestamp, count, 1));
            if (count > 2 * FAULTS && count <= SIGNERS) {
                _send(address(feed), data);
            } else {
                _refusedWith(
                    data, abi.encodeWithSelector(IReportAggregator.WrongAnswerCount.selector, count, 5, 7)
                );
            }
        }
        vm.assertEq(feed.latestRound(), 3);
    }

    /// Two neighbours of five rising answers, exchanged; the last pair among them, which the median never sees.
    function test_refuses_answersOutOfOrder() public {
        for (uint256 place = 1; place < 5; ++place) {
            int64[] memory answers = _rising(5);
            (answers[place - 1], answers[place]) = (answers[place], answers[place - 1]);
            _refusedWith(
                _signed(_report(1, block.timestamp, answers)),
                abi.encodeWithSelector(IReportAggregator.AnswersNotSorted.selector, place)
            );
        }
    }

    function testFuzz_refuses_answersOutOfOrder(int64[5] memory given) public {
        int64[] memory answers = new int64[](5);
        uint256 wrong;
        for (uint256 i = 0; i < 5; ++i) {
            answers[i] = given[i];
            if (wrong == 0 && i != 0 && given[i] < given[i - 1]) wrong = i;
        }
        vm.assume(wrong != 0);
        _refusedWith(
            _signed(_report(1, block.timestamp, answers)),
            abi.encodeWithSelector(IReportAggregator.AnswersNotSorted.selector, wrong)
        );
    }

    /// The answer is refused, never clamped; what lies outside beside it does not matter.
    function test_refuses_answersOutOfBounds() public {
        feed = new ReportAggregator(8, "ETH / USD", -3, 9, MAX_AGE, OWNER, _signers(SIGNERS), FAULTS);
        int64[4] memory outside = [int64(-4), 10, type(int64).min, type(int64).max];
        for (uint256 i = 0; i < outside.length; ++i) {
            _refusedWith(
                _signed(_next(outside[i])),
                abi.encodeWithSelector(
                    IReportAggregator.AnswerOutOfBounds.selector, outside[i], int256(-3), int256(9)
                )
            );
        }
        _send(address(feed), _signed(_next(-3)));
        vm.assertEq(feed.latestAnswer(), int256(-3));
        _send(address(feed), _signed(_next(9)));
        vm.assertEq(feed.latestAnswer(), int256(9));
        int64[] memory answers = _rising(5);
        (answers[0], answers[4]) = (type(int64).min, type(int64).max);
        _send(address(feed), _signed(_report(3, block.timestamp, answers)));
        vm.assertEq(feed.latestAnswer(), int256(3));
    }

    function _rising(uint256 count) private pure returns (int64[] memory answers) {
        answers = new int64[](count);
        for (uint256 i = 0; i < count; ++i) {
            answers[i] = int64(int256(i)) + 1;
        }
    }

    // -------------------------------------------------------------- lengths

    /// Every shorter call data, down to the bare selector, and some that are longer.
    function test_refuses_everyOtherLength() public {
        bytes memory good = _signed(_next(5));
        for (uint256 length = 4; length < good.length; ++length) {
            bytes memory short = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                short[i] = good[i];
            }
            // The count of answers, once it is there, says how long the call data had to be.
            uint256 answers = length > 12 ? 5 : 0;
            _refusedWith(
                short,
                abi.encodeWithSelector(
                    IReportAggregator.WrongLength.selector, length, 13 + 8 * answers + 4 + 64 * 3
                )
            );
        }
        for (uint256 more = 1; more <= 70; ++more) {
            _refusedWith(
                bytes.concat(good, new bytes(more)),
                abi.encodeWithSelector(
                    IReportAggregator.WrongLength.selector, good.length + more, good.length
                )
            );
        }
        _send(address(feed), good);
    }

    /// Nothing in a signed report can be changed: one flipped bit, anywhere after the selector.
    function testFuzz_refuses_anyFlippedBit(uint256 place) public {
        bytes memory data = _signed(_next(5));
        uint256 bit = 32 + place % (8 * data.length - 32);
        data[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _refusedAnyhow(data);
        data[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _send(address(feed), data);
    }

    // ----------------------------------------------------------- signatures

    function test_refuses_tooFewSignatures() public {
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        // Two signatures and zeros in place of the third, under two bits and under three.
        bytes memory two = bytes.concat(_signature(1, digest), _signature(2, digest), new bytes(64));
        _refusedWith(_calldata(report, bytes.concat(bytes4(uint32(3)), two)), _wrongCount(2));
        _refusedWith(_calldata(report, bytes.concat(bytes4(uint32(7)), two)), _wrong(2, address(0)));
        _refusedWith(_calldata(report, bytes.concat(bytes4(0), two)), _wrongCount(0));
    }

    /// One more signature than needed makes the call data too long; without it, the bitmap promises too much.
    function test_refuses_tooManySignatures() public {
        bytes memory report = _next(5);
        bytes memory four = _attestBy(_digest(report), _first(4));
        bytes memory data = _calldata(report, four);
        _refusedWith(
            data,
            abi.encodeWithSelector(IReportAggregator.WrongLength.selector, data.length, data.length - 64)
        );
        assembly ("memory-safe") {
            mstore(data, sub(mload(data), 64))
        }
        _refusedWith(data, _wrongCount(4));
    }

    /// Every signer's bit with three signatures under it; and every number of bits.
    function testFuzz_refuses_anyOtherBitmap(uint32 bitmap) public {
        bytes memory report = _next(5);
        bytes memory good = _attest(_digest(report), FAULTS);
        vm.assume(bitmap != _first(3));
        for (uint256 i = 0; i < 4; ++i) {
            good[i] = bytes4(bitmap)[i];
        }
        _refusedAnyhow(_calldata(report, good));
    }

    function test_refuses_signersOutOfRange() public {
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        for (uint32 bit = uint32(SIGNERS); bit < 32; ++bit) {
            uint32 bitmap = _first(2) | uint32(1) << bit;
            _refusedWith(
                _calldata(report, _attestBy(digest, bitmap)),
                abi.encodeWithSelector(ISignerSet.SignersOutOfRange.selector, bitmap, SIGNERS)
            );
        }
    }

    /// A signature counts for the signer under whose bit it stands, and for no other.
    function test_refuses_duplicateSignatures() public {
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        bytes memory one = _signature(1, digest);
        bytes memory other = _signature(2, digest);
        _refusedWith(_calldata(report, bytes.concat(bytes4(uint32(7)), one, one, one)), _wrong(1, vm.addr(1)));
        _refusedWith(
            _calldata(report, bytes.concat(bytes4(uint32(7)), one, other, one)), _wrong(2, vm.addr(1))
        );
        // The second form of the same signature recovers to somebody else.
        _refusedAnyhow(_calldata(report, bytes.concat(bytes4(uint32(7)), one, _otherForm(one), other)));
    }

    function test_refuses_signaturesOutOfOrder() public {
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        bytes memory swapped = bytes.concat(
            bytes4(uint32(0x49)), _signature(1, digest), _signature(7, digest), _signature(4, digest)
        );
        _refusedWith(_calldata(report, swapped), _wrong(3, vm.addr(7)));
        _send(address(feed), _calldata(report, _attestBy(digest, 0x49)));
    }

    function testFuzz_refuses_strangers(uint256 key, uint256 place) public {
        key = SIGNERS + 1 + key % (CURVE_ORDER - SIGNERS - 1);
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        place %= 3;
        bytes memory attestation = bytes.concat(bytes4(uint32(7)));
        for (uint256 i = 0; i < 3; ++i) {
            attestation = bytes.concat(attestation, _signature(i == place ? key : i + 1, digest));
        }
        _refusedWith(_calldata(report, attestation), _wrong(place, vm.addr(key)));
    }

    /// Of the two forms of a signature only the one with v 27 is good, whichever place it has.
    function testFuzz_refuses_theOtherFormOfS(int64 answer, uint256 place) public {
        bytes memory report = _next(answer);
        bytes32 digest = _digest(report);
        place %= 3;
        bytes memory attestation = bytes.concat(bytes4(uint32(7)));
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory signature = _signature(i + 1, digest);
            attestation = bytes.concat(attestation, i == place ? _otherForm(signature) : signature);
        }
        _refusedAnyhow(_calldata(report, attestation));
        _send(address(feed), _signed(report));
    }

    /// What is no signature recovers to zero, and zero is nobody.
    function test_refuses_numbersOffTheCurve() public {
        bytes memory report = _next(5);
        bytes32 digest = _digest(report);
        (, bytes32 r, bytes32 s) = vm.sign(1, digest);
        bytes32[2][8] memory wrong = [
            [bytes32(0), s],
            [r, bytes32(0)],
            [bytes32(0), bytes32(0)],
            [r, bytes32(CURVE_ORDER)],
            [bytes32(CURVE_ORDER), s],
            [r, bytes32(type(uint256).max)],
            [bytes32(type(uint256).max), s],
            // s + N is the same number to the curve, and no signature.
            [r, bytes32(addmod(uint256(s), 0, CURVE_ORDER) % 2 ** 127 + CURVE_ORDER)]
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            bytes memory attestation = bytes.concat(
                bytes4(uint32(7)), wrong[i][0], wrong[i][1], _signature(2, digest), _signature(3, digest)
            );
            _refusedWith(_calldata(report, attestation), _wrong(0, address(0)));
        }
    }

    // -------------------------------------------------------------- domains

    function testFuzz_refuses_otherChains(uint64 chainId) public {
        vm.assume(chainId != block.chainid && chainId != 0);
        bytes memory report = _next(5);
        bytes32 digest = _digestOf(_domainOf(chainId, address(feed), 1, _signers(SIGNERS), FAULTS), report);
        _refusedAnyhow(_calldata(report, _attest(digest, FAULTS)));
        // The same bytes are good on the chain they were signed for.
        vm.chainId(chainId);
        _send(address(feed), _calldata(report, _attest(digest, FAULTS)));
    }

    function test_refuses_otherContracts() public {
        ReportAggregator other = _reportAggregator(SIGNERS, FAULTS);
        bytes memory data = _signed(_next(5));
        (bool ok,) = address(other).call(data);
        vm.assertFalse(ok);
        _send(address(feed), data);
    }

    /// The digest has a domain before the report: the report alone, or in a message of another kind, is not signed.
    function testFuzz_refuses_otherDomains(bytes32 domain) public {
        vm.assume(domain != _domain());
        bytes memory report = _next(5);
        _refusedAnyhow(_calldata(report, _attest(_digestOf(domain, report), FAULTS)));
        _refusedAnyhow(_calldata(report, _attest(keccak256(report), FAULTS)));
        bytes32 prefixed = keccak256(bytes.concat("\x19Ethereum Signed Message:\n32", _digest(report)));
        _refusedAnyhow(_calldata(report, _attest(prefixed, FAULTS)));
    }

    function test_refuses_value() public {
        bytes memory data = _signed(_next(5));
        (bool ok,) = address(feed).call{value: 1}(data);
        vm.assertFalse(ok);
    }

    function _otherForm(bytes memory signature) private pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        return abi.encodePacked(r, CURVE_ORDER - uint256(s));
    }

    function _wrongCount(uint256 given) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISignerSet.WrongSignatureCount.selector, given, uint256(FAULTS) + 1);
    }

    function _wrong(uint256 index, address recovered) private view returns (bytes memory) {
        (, bytes32 configDigest,) = feed.configuration();
        return abi.encodeWithSelector(
            ISignerSet.WrongSignature.selector, index, vm.addr(index + 1), recovered, configDigest
        );
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

contract SignerSetTest is ReportAggregatorFixture {
    /// The next round goes on under the new signers; what the old ones signed for it is void, even if they stay.
    function test_setSigners_losesNoRound() public {
        _transmitRound(feed, 1);
        _transmitRound(feed, 2);
        bytes memory report = _next(3);
        bytes memory inFlight = _signed(report);

        address[] memory signers = _signers(SIGNERS);
        vm.prank(OWNER);
        feed.setSigners(signers, FAULTS);
        bytes32 digest = _digestOf(_domainOf(block.chainid, address(feed), 2, signers, FAULTS), report);
        vm.assertEq(feed.digestOf(report), digest);
        (bool ok, bytes memory reason) = address(feed).call(inFlight);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(bytes4(reason)), bytes32(ISignerSet.WrongSignature.selector));
        _send(address(feed), _calldata(report, _attest(digest, FAULTS)));
        vm.assertEq(feed.latestRound(), 3);
        vm.assertEq(feed.getAnswer(2), int256(2));
    }

    /// Another f asks for another number of signatures, and the length tells it first.
    function test_setSigners_ofAnotherSize() public {
        bytes memory inFlight = _signed(_next(1));
        address[] memory signers = new address[](4);
        for (uint256 i = 0; i < 4; ++i) {
            signers[i] = vm.addr(100 + i);
        }
        vm.prank(OWNER);
        feed.setSigners(signers, 1);
        _refusedWith(
            inFlight,
            abi.encodeWithSelector(
                IReportAggregator.WrongLength.selector, inFlight.length, inFlight.length - 64
            )
        );
        bytes memory report = _report(1, block.timestamp, 3, 8);
        bytes32 digest = feed.digestOf(report);
        _refusedAnyhow(_calldata(report, _attest(digest, 1)));
        _send(
            address(feed),
            _calldata(
                report, bytes.concat(bytes4(uint32(10)), _signature(101, digest), _signature(103, digest))
            )
        );
        vm.assertEq(feed.latestAnswer(), int256(8));
    }

    function test_setSigners_isRead() public {
        address[] memory signers = _signers(32);
        bytes32 domain = _domainOf(block.chainid, address(feed), 2, signers, 10);
        bytes memory set = abi.encodePacked(uint16(2), uint8(10));
        for (uint256 i = 0; i < 32; ++i) {
            set = bytes.concat(set, bytes20(signers[i]));
        }
        vm.expectEmit(true, true, true, true, address(feed));
        emit ISignerSet.SignersSet(2, keccak256(set), signers, 10);
        vm.prank(OWNER);
        feed.setSigners(signers, 10);
        (address[] memory read, uint8 f) = feed.signers();
        vm.assertEq(abi.encode(read, f), abi.encode(signers, uint8(10)));
        (uint256 configCount, bytes32 configDigest, bytes32 domainRead) = feed.configuration();
        vm.assertEq(abi.encode(configCount, configDigest), abi.encode(2, keccak256(set)));
        vm.assertEq(domainRead, domain);
    }

    function test_setSigners_refusesSizes() public {
        _refusedSize(0, 0);
        _refusedSize(4, 0);
        _refusedSize(1, 0);
        _refusedSize(3, 1);
        _refusedSize(6, 2);
        _refusedSize(30, 10);
        _refusedSize(33, 1);
        _refusedSize(32, 11);
        _refusedSize(32, 255);
        uint8[3] memory faults = [1, 2, 10];
        for (uint256 i = 0; i < faults.length; ++i) {
            address[] memory signers = _signers(3 * uint256(faults[i]) + 1);
            vm.prank(OWNER);
            feed.setSigners(signers, faults[i]);
        }
    }

    function test_setSigners_refusesZeroAndDuplicates() public {
        for (uint256 i = 0; i < SIGNERS; ++i) {
            address[] memory signers = _signers(SIGNERS);
            signers[i] = address(0);
            _refusedSigners(signers, address(0));
            for (uint256 j = 0; j < SIGNERS; ++j) {
                if (i == j) continue;
                signers = _signers(SIGNERS);
                signers[i] = signers[j];
                _refusedSigners(signers, signers[j]);
            }
        }
        (uint256 configCount,,) = feed.configuration();
        vm.assertEq(configCount, 1);
    }

    function test_setSigners_onlyByTheOwner() public {
        address[] memory signers = _signers(4);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        feed.setSigners(signers, 1);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(vm.addr(1));
        feed.setSigners(signers, 1);
    }

    /// The number of a configuration is never used twice; after the last one the signers stay.
    function test_setSigners_endsWithItsNumbers() public {
        bytes32 slot = _configurationSlot();
        uint256 word = uint256(vm.load(address(feed), slot));
        vm.store(address(feed), slot, bytes32(word | uint256(type(uint16).max) << 80));
        address[] memory signers = _signers(4);
        vm.expectRevert(_text("Configurations exhausted"));
        vm.prank(OWNER);
        feed.setSigners(signers, 1);
        (uint256 configCount,,) = feed.configuration();
        vm.assertEq(configCount, type(uint16).max);
    }

    /// The set is one account whose code cannot run: a STOP, then twenty bytes a signer.
    function test_setSigners_keepsThemInCode() public view {
        address blob = address(uint160(uint256(vm.load(address(feed), _configurationSlot())) >> 96));
        bytes memory code = hex"00";
        for (uint256 i = 0; i < SIGNERS; ++i) {
            code = bytes.concat(code, bytes20(vm.addr(i + 1)));
        }
        vm.assertEq(blob.code, code);
    }

    /// @dev The one slot that holds the count of configurations, f and n.
    function _configurationSlot() private view returns (bytes32 slot) {
        uint256 expected = 1 << 16 | uint256(FAULTS) << 8 | SIGNERS;
        for (uint256 i = 0; i < 16; ++i) {
            slot = bytes32(i);
            if (uint32(uint256(vm.load(address(feed), slot)) >> 64) == expected) return slot;
        }
        vm.assertTrue(false, "no configuration");
    }

    function _refusedSize(uint256 n, uint8 f) private {
        address[] memory signers = _signers(n);
        vm.expectRevert(abi.encodeWithSelector(ISignerSet.InvalidQuorum.selector, n, f));
        vm.prank(OWNER);
        feed.setSigners(signers, f);
    }

    function _refusedSigners(address[] memory signers, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(ISignerSet.InvalidSigner.selector, signer));
        vm.prank(OWNER);
        feed.setSigners(signers, FAULTS);
    }
}
