// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {IRoundHistory} from "../src/interfaces/IRoundHistory.sol";
import {Fixture} from "./base/Fixture.sol";
import {ReferenceFeed} from "./base/ReferenceFeed.sol";

/// @title The packed history against one word per number: the same bytes from every read.
abstract contract HistorySuite is Fixture {
    uint256 private constant MARK = 0xffff;
    bytes32 private constant HOT_SLOT = 0;
    uint256 internal constant ARCHIVE_SLOT = 1;
    uint256 internal constant WIDE_SLOT = 2;

    Aggregator internal packed;
    ReferenceFeed internal plain;

    /// @dev How many groups the history keeps, 0 for all.
    function _groups() internal pure virtual returns (uint32);

    /// @dev How many rounds a fuzzed history has.
    function _rounds() internal pure virtual returns (uint256) {
        return 20;
    }

    function setUp() public {
        packed = _ring(_groups());
        plain = new ReferenceFeed();
        plain.setArchivedGroups(_groups());
        vm.assertEq(packed.archivedGroups(), _groups());
    }

    // ------------------------------------------------------------------ fuzz

    /// Answers of every size and gaps from nothing to years, drawn so that each limit is met from both sides.
    function testFuzz_history_equalsTheReference(uint256 seed) public {
        for (uint256 i = 0; i < _rounds(); ++i) {
            _write(_answer(_draw(seed, 2 * i)), _gap(_draw(seed, 2 * i + 1)));
        }
        _assertSame();
    }

    /// Answers taken whole from the fuzzer, a day apart, so that most rounds need the exact escape.
    function testFuzz_history_anyAnswer(int176[7] calldata answers, uint32[7] calldata gaps) public {
        for (uint256 i = 0; i < answers.length; ++i) {
            _write(answers[i], gaps[i]);
        }
        _assertSame();
    }

    // ------------------------------------------------------------ the limits

    /// The last second and the last answer that fit, and the first ones that do not.
    function test_history_escapesExactlyWhereItMust() public {
        _write(1, 60);
        vm.assertFalse(_isWide(1));
        _write(type(int48).max, 65_534);
        vm.assertFalse(_isWide(2));
        _write(1, 1);
        vm.assertTrue(_isWide(3));

        _write(type(int48).min, 1);
        vm.assertFalse(_isWide(4));
        _write(int256(type(int48).max) + 1, 1);
        vm.assertTrue(_isWide(5));
        _write(int256(type(int48).min) - 1, 1);
        vm.assertTrue(_isWide(6));

        // Whatever the first of a group is, its time is the base of the other two.
        _write(type(int176).min, 10 * 365 days);
        vm.assertTrue(_isWide(7));
        _write(7, 65_534);
        vm.assertFalse(_isWide(8));
        _write(7, 0);
        vm.assertFalse(_isWide(9));
        _assertSame();
    }

    /// An entry of 0 answer at the base's own second is all zeros and still a round.
    function test_history_keepsZeroAnswers() public {
        for (uint256 i = 0; i < 4; ++i) {
            _write(0, 0);
        }
        _assertSame();
    }

    /// 32 bits of seconds end in 2106; the history goes on, exactly.
    function test_history_outlivesThirtyTwoBitTimes() public {
        vm.warp(uint256(type(uint32).max) - 3);
        for (uint256 i = 0; i < 9; ++i) {
            _write(int256(i), 1);
        }
        _write(1, 100_000);
        _write(type(int176).max, 365 days * 20_000);
        _assertSame();
    }

    /// Ids end before their bits would run into the flags.
    function test_history_refusesTheRoundAfterTheLast() public {
        uint256 last = 1_073_741_823;
        uint256 word = uint256(vm.load(address(packed), HOT_SLOT));
        vm.assertEq(word, 0);
        vm.store(address(packed), HOT_SLOT, bytes32(((last - 1) << 224) | (block.timestamp << 192)));
        _submit(packed, 77);
        vm.assertEq(packed.latestRound(), last);
        vm.assertEq(packed.latestAnswer(), int256(77));
        vm.expectRevert(_text("Round ids exhausted"));
        vm.prank(TRANSMITTER);
        packed.submit(last + 1, 78);
        vm.assertFalse(packed.paused());
    }

    /// A full group moves to the archive as it is, and stays as it is.
    function test_history_archivesWholeGroups() public {
        bytes32[4] memory full;
        for (uint256 group = 0; group < full.length; ++group) {
            for (uint256 i = 0; i < 3; ++i) {
                _write(int256(group * 3 + i), 60);
            }
            full[group] = vm.load(address(packed), HOT_SLOT);
            vm.assertEq(_slot(ARCHIVE_SLOT, group), bytes32(0));
        }
        _write(1, 60);
        for (uint256 group = 0; group < full.length; ++group) {
            vm.assertEq(_slot(ARCHIVE_SLOT, group), full[group]);
        }
        vm.assertEq(_slot(ARCHIVE_SLOT, full.length), bytes32(0));
    }

    // --------------------------------------------------------------- drawing

    function _draw(uint256 seed, uint256 index) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, index)));
    }

    function _answer(uint256 random) private pure returns (int256) {
        uint256 kind = random % 6;
        int256 small = int256((random >> 8) % 5) - 2;
        if (kind == 0) return int256(type(int48).max) + small;
        if (kind == 1) return int256(type(int48).min) + small;
        if (kind == 2) return int256((random >> 8) % 1e13);
        if (kind == 3) return small;
        if (kind == 4) {
            return small < 0 ? int256(type(int176).min) - small - 1 : int256(type(int176).max) - small;
        }
        return int176(uint176(random >> 64));
    }

    function _gap(uint256 random) private pure returns (uint256) {
        uint256 kind = random % 6;
        if (kind == 0) return 0;
        if (kind == 1) return 1 + (random >> 8) % 60;
        if (kind == 2) return 65_532 + (random >> 8) % 6;
        if (kind == 3) return 32_760 + (random >> 8) % 16;
        if (kind == 4) return (random >> 8) % 200_000;
        return (random >> 8) % (12 * 365 days);
    }

    // ------------------------------------------------------------- comparing

    function _write(int256 answer, uint256 gap) internal {
        vm.warp(block.timestamp + gap);
        _submit(packed, answer);
        plain.append(answer);
        _same(abi.encodeCall(plain.latestRoundData, ()));
        _same(abi.encodeCall(plain.latestAnswer, ()));
        _same(abi.encodeCall(plain.latestTimestamp, ()));
        _same(abi.encodeCall(plain.latestRound, ()));
    }

    /// @dev Every round, the ids around them, and where the escape was taken.
    function _assertSame() internal view {
        uint256 latest = plain.latestRound();
        for (uint256 round = 0; round <= latest + 4; ++round) {
            _same(abi.encodeCall(plain.getRoundData, (uint80(round))));
            _same(abi.encodeCall(plain.getAnswer, (round)));
            _same(abi.encodeCall(plain.getTimestamp, (round)));
            if (round >= plain.oldestRound() && round <= latest) _assertEscape(round);
        }
    }

    /// @dev The entry of a round that is kept holds the mark and nothing else, or no part of it is wide. In a ring an
    /// earlier round's word may still lie in the slot of one that needs none.
    function _assertEscape(uint256 round) private view {
        bool marked = _entry(round) & MARK == MARK;
        if (marked) {
            vm.assertEq(_entry(round), MARK);
            uint256 time = plain.getTimestamp(round);
            vm.assertEq(
                uint256(_slot(WIDE_SLOT, _wideKey(round))),
                (uint256(plain.getAnswer(round)) << 80) | (time << 40) | time
            );
        } else if (_groups() == 0) {
            vm.assertEq(_slot(WIDE_SLOT, round), bytes32(0));
        }
    }

    function _same(bytes memory call) private view {
        vm.assertEq(_outcome(address(packed), call), _outcome(address(plain), call));
    }

    function _isWide(uint256 round) private view returns (bool) {
        return _slot(WIDE_SLOT, _wideKey(round)) != 0;
    }

    /// @dev A round's 64 bits, read from storage as the layout says.
    function _entry(uint256 round) private view returns (uint256) {
        uint256 group = (round - 1) / 3;
        bool hot = group == (packed.latestRound() - 1) / 3;
        uint256 key = _groups() == 0 ? group : group % _groups();
        uint256 word = uint256(hot ? vm.load(address(packed), HOT_SLOT) : _slot(ARCHIVE_SLOT, key));
        return uint64(word >> (((round - 1) % 3) * 64));
    }

    function _wideKey(uint256 round) private pure returns (uint256) {
        return _groups() == 0 ? round : round % (4 * uint256(_groups()));
    }

    function _slot(uint256 mapping_, uint256 key) internal view returns (bytes32) {
        return vm.load(address(packed), keccak256(abi.encode(key, mapping_)));
    }
}

/// @dev Every round for ever, as it is by default.
contract RoundHistoryTest is HistorySuite {
    function _groups() internal pure override returns (uint32) {
        return 0;
    }
}

/// @dev The smallest ring: every fuzzed history comes round its slots at least twice.
contract SmallRingHistoryTest is HistorySuite {
    function _groups() internal pure override returns (uint32) {
        return 4;
    }

    function _rounds() internal pure override returns (uint256) {
        return 40;
    }

    /// Rounds leave by whole groups, when the fifth group behind them begins, and not one earlier.
    function test_ring_keepsFourGroupsBehindTheLatest() public {
        _writeMany(15);
        for (uint256 round = 1; round <= 15; ++round) {
            vm.assertEq(packed.getAnswer(round), int256(round));
        }
        _writeMany(1);
        _assertGone(3);
        vm.assertEq(packed.getAnswer(4), int256(4));
        _writeMany(2);
        _assertGone(3);
        vm.assertEq(packed.getAnswer(4), int256(4));
        _writeMany(1);
        _assertGone(6);
        vm.assertEq(packed.getAnswer(7), int256(7));
        _assertSame();
    }

    /// Whatever is written, no slot beyond the ring's is ever used.
    function test_ring_usesNoMoreThanItsSlots() public {
        for (uint256 i = 1; i <= 100; ++i) {
            _write(i % 2 == 0 ? int256(i) : int256(i) << 60, 10_000);
        }
        for (uint256 key = 0; key < 110; ++key) {
            vm.assertEq(_slot(ARCHIVE_SLOT, key) != 0, key < 4);
            if (key >= 16) vm.assertEq(_slot(WIDE_SLOT, key), bytes32(0));
        }
        _assertSame();
    }

    /// A wide round whose slot an earlier wide round had, and one that needs none where an earlier one did.
    function test_ring_reusesWideSlotsExactly() public {
        int256 big = int256(1) << 100;
        for (int256 i = 1; i <= 16; ++i) {
            _write(big + i, 60);
        }
        for (int256 i = 17; i <= 32; ++i) {
            _write(i % 2 == 0 ? -big - i : i, 60);
        }
        _assertSame();
        vm.assertEq(packed.getAnswer(32), -big - 32);
        vm.assertEq(packed.getAnswer(31), int256(31));
    }

    function _writeMany(uint256 rounds) private {
        for (uint256 i = 0; i < rounds; ++i) {
            _write(int256(plain.latestRound()) + 1, 60);
        }
    }

    function _assertGone(uint256 upTo) private {
        for (uint256 round = 1; round <= upTo; ++round) {
            vm.assertEq(packed.getAnswer(round), int256(0));
            vm.assertEq(packed.getTimestamp(round), 0);
            vm.expectRevert(NO_DATA);
            packed.getRoundData(uint80(round));
        }
    }
}

contract RingHistoryTest is HistorySuite {
    function _groups() internal pure override returns (uint32) {
        return 8;
    }

    function _rounds() internal pure override returns (uint256) {
        return 36;
    }
}

contract ArchiveSizeTest is Fixture {
    /// Slots are found by cutting bits from a number, which only a power of two allows; under four groups two live
    /// rounds could share a wide slot.
    function test_constructor_refusesOtherSizes() public {
        uint32[9] memory sizes = [uint32(1), 2, 3, 5, 6, 7, 12, 1 << 31 | 4, type(uint32).max];
        for (uint256 i = 0; i < sizes.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRoundHistory.InvalidArchive.selector, uint256(sizes[i])));
            _ring(sizes[i]);
        }
    }

    function test_constructor_takesPowersOfTwo() public {
        for (uint32 size = 4; size != 0; size <<= 1) {
            vm.assertEq(_ring(size).archivedGroups(), size);
        }
        vm.assertEq(_ring(0).archivedGroups(), 0);
    }
}
