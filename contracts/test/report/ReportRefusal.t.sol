// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IReportAggregator} from "../../src/interfaces/report/IReportAggregator.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {ReportAggregatorFixture} from "./ReportAggregatorFixture.sol";

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
