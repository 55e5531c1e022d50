// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRoundHistory} from "./interfaces/IRoundHistory.sol";

/// @title Storage of every round of one feed, three rounds to a slot.
/// @notice A write touches one slot (the hot word); every third round the full word moves to the archive
/// first. Reading the latest round is one slot, any other round at most three.
///
/// The hot word, and each archived word:
///
///     paused1 [255] | watched1 [254] | latest30 [253:224] | base32 [223:192] | e2 [191:128] | e1 [127:64] | e0 [63:0]
///     e_i = int48 answer [63:16] | uint16 seconds since base [15:0]
///
/// Round r lives in e_((r-1) mod 3) of group (r-1) / 3; `base` is the time of the group's first round. A round
/// that does not fit exactly - a large answer, or more than 65,534 s after the base - carries 0xffff in place
/// of the seconds and is stored in `_wide` instead:
///
///     int176 answer [255:80] | startedAt40 [79:40] | updatedAt40 [39:0]
///
/// The archive holds every group, or, when the operator asked for it, the last R = 2^k of them: group g then lives
/// in slot g mod R, and the wide word of round r in slot r mod 4R. No two of the 3R + 3 rounds that can be live share
/// a slot, since 3R + 3 <= 4R. A slot that is written again costs 17,100 gas less than a fresh one.
///
/// Invariants: `_wide[r]` is written exactly when round r's entry carries the mark; entries of rounds that do
/// not exist yet are zero; a live round is never written again; an archived word is not paused, though it may be
/// watched.
/// It does not decide who may write, nor which round or answer is acceptable: that is the caller's.
abstract contract RoundHistory is IRoundHistory {
    uint256 private constant PAUSED_SHIFT = 255;
    uint256 private constant WATCHED_SHIFT = 254;
    uint256 private constant ROUND_SHIFT = 224;
    uint256 private constant BASE_SHIFT = 192;
    uint256 private constant ENTRY_BITS = 64;
    uint256 private constant WIDE_MARK = 0xffff;
    /// @dev The last round of the last group whose numbers fit 30 bits: 34 years of a round each second.
    uint256 private constant ROUND_MAX = 1_073_741_823;

    /// @dev What a group's number keeps of itself as a slot of the archive: R - 1, or all of it when R is 0.
    uint256 private immutable _groupMask;

    /// @dev Slot 0: the two flags, the latest round's number and the latest group.
    uint256 private _hot;
    /// @dev Slot 1: full words of earlier groups, by group number.
    mapping(uint256 group => uint256 word) private _archive;
    /// @dev Slot 2: rounds that do not fit their entry, by round number.
    mapping(uint256 roundId => uint256 word) private _wide;

    /// @param groups how many groups of three the archive holds, a power of two from 4 on; 0 for every round
    constructor(uint256 groups) {
        unchecked {
            // One below 0 has every bit set: nothing is cut from a group's number.
            uint256 mask = groups - 1;
            if (groups != 0 && (groups < 4 || groups & mask != 0)) revert InvalidArchive(groups);
            _groupMask = mask;
        }
    }

    /// @inheritdoc IRoundHistory
    function archivedGroups() external view override returns (uint256) {
        unchecked {
            return _groupMask + 1;
        }
    }

    /// @dev The hot word, read once and handed to the functions below.
    function _load() internal view returns (uint256 hot) {
        return _hot;
    }

    /// @dev Number of the latest round of a hot word, 0 when there is none.
    function _latestOf(uint256 hot) internal pure returns (uint256) {
        return (hot << 2) >> (ROUND_SHIFT + 2);
    }

    function _isPaused(uint256 hot) internal pure returns (bool) {
        return hot >> PAUSED_SHIFT != 0;
    }

    function _setPaused(bool paused_) internal {
        _setFlag(PAUSED_SHIFT, paused_);
    }

    /// @dev A flag of the caller's, such as that somebody is to be told of every round.
    function _isWatched(uint256 hot) internal pure returns (bool) {
        return (hot >> WATCHED_SHIFT) & 1 != 0;
    }

    function _setWatched(bool watched) internal virtual {
        _setFlag(WATCHED_SHIFT, watched);
    }

    /// @dev Stores the round after the latest of `hot`, which must be the unpaused word of `_load`, at the
    /// present block's time. `answer` must fit 176 bits.
    function _append(uint256 hot, int256 answer) internal {
        unchecked {
            uint256 latest = _latestOf(hot);
            uint256 index = latest % 3;
            if (index == 0) {
                // Looked at once a group, because the limit is the end of one.
                require(latest < ROUND_MAX, "Round ids exhausted");
                if (latest != 0) _archive[_archiveSlot(latest / 3 - 1)] = hot;
                // The flags and the number stay. Cut after 2106; the base is then far off and every round is
                // stored wide, exactly.
                hot = ((hot >> ROUND_SHIFT) << ROUND_SHIFT) | (uint256(uint32(block.timestamp)) << BASE_SHIFT);
            }
            // Any time that is not shortly after the base, on either side, is a number too large for an entry.
            uint256 elapsed = block.timestamp - uint32(hot >> BASE_SHIFT);
            uint256 entry;
            if (elapsed < WIDE_MARK && answer == int48(answer)) {
                entry = (uint256(uint48(int48(answer))) << 16) | elapsed;
            } else {
                entry = WIDE_MARK;
                uint256 time = uint40(block.timestamp);
                _wide[_wideSlot(latest + 1)] = (uint256(answer) << 80) | (time << 40) | time;
            }
            _hot = (hot + (1 << ROUND_SHIFT)) | (entry << (index * ENTRY_BITS));
        }
    }

    /// @dev Answer and time of a round, zeros for one that was never written or is no longer kept: a round has a time.
    /// Compared in full width, because a cut id would name another round.
    function _round(uint256 hot, uint256 roundId) internal view returns (int256 answer, uint256 time) {
        unchecked {
            uint256 latest = _latestOf(hot);
            if (roundId == 0 || roundId > latest) return (0, 0);
            uint256 group = (roundId - 1) / 3;
            uint256 back = (latest - 1) / 3 - group;
            if (back == 0) return _entry(hot, roundId);
            if (back - 1 > _groupMask) return (0, 0);
            return _entry(_archive[_archiveSlot(group)], roundId);
        }
    }

    /// @dev The same for a round whose group's word is at hand, as the latest round's is in the hot word.
    function _entry(uint256 word, uint256 roundId) internal view returns (int256 answer, uint256 time) {
        unchecked {
            uint256 entry = word >> (((roundId - 1) % 3) * ENTRY_BITS);
            uint256 elapsed = uint16(entry);
            if (elapsed != WIDE_MARK) {
                return (int48(uint48(entry >> 16)), uint32(word >> BASE_SHIFT) + elapsed);
            }
            uint256 wide = _wide[_wideSlot(roundId)];
            return (int256(wide) >> 80, uint40(wide));
        }
    }

    /// @dev The group's number mod R, or all of it when R is 0.
    function _archiveSlot(uint256 group) internal view returns (uint256) {
        return group & _groupMask;
    }

    /// @dev The round's number mod 4R, or all of it when R is 0.
    function _wideSlot(uint256 roundId) internal view returns (uint256) {
        return roundId & ((_groupMask << 2) | 3);
    }

    function _setFlag(uint256 shift, bool on) private {
        uint256 flag = uint256(1) << shift;
        uint256 hot = _hot & ~flag;
        _hot = on ? hot | flag : hot;
    }
}
