// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Storage of every round of one feed, three rounds to a slot.
/// @notice A write touches one slot (the hot word); every third round the full word moves to the archive
/// first. Reading the latest round is one slot, any other round at most three.
///
/// The hot word, and each archived word:
///
///     paused1 [255] | latest31 [254:224] | base32 [223:192] | e2 [191:128] | e1 [127:64] | e0 [63:0]
///     e_i = int48 answer [63:16] | uint16 seconds since base [15:0]
///
/// Round r lives in e_((r-1) mod 3) of group (r-1) / 3; `base` is the time of the group's first round. A round
/// that does not fit exactly - a large answer, or more than 65,534 s after the base - carries 0xffff in place
/// of the seconds and is stored in `_wide` instead:
///
///     int176 answer [255:80] | startedAt40 [79:40] | updatedAt40 [39:0]
///
/// Invariants: `_wide[r]` is written exactly when round r's entry carries the mark; entries of rounds that do
/// not exist yet are zero; a stored round is never written again; an archived word is not paused.
/// It does not decide who may write, nor which round or answer is acceptable: that is the caller's.
abstract contract RoundHistory {
    uint256 private constant PAUSED_BIT = 1 << 255;
    uint256 private constant ROUND_SHIFT = 224;
    uint256 private constant BASE_SHIFT = 192;
    uint256 private constant ENTRY_BITS = 64;
    uint256 private constant WIDE_MARK = 0xffff;
    /// @dev The last round of the last group whose numbers fit 31 bits: 68 years of a round each second.
    uint256 private constant ROUND_MAX = 2_147_483_646;

    /// @dev Slot 0: the pause bit, the latest round's number and the latest group.
    uint256 private _hot;
    /// @dev Slot 1: full words of earlier groups, by group number.
    mapping(uint256 group => uint256 word) private _archive;
    /// @dev Slot 2: rounds that do not fit their entry, by round number.
    mapping(uint256 roundId => uint256 word) private _wide;

    /// @dev The hot word, read once and handed to the functions below.
    function _load() internal view returns (uint256 hot) {
        return _hot;
    }

    /// @dev Number of the latest round of a hot word, 0 when there is none.
    function _latestOf(uint256 hot) internal pure returns (uint256) {
        return (hot << 1) >> (ROUND_SHIFT + 1);
    }

    function _isPaused(uint256 hot) internal pure returns (bool) {
        return hot >= PAUSED_BIT;
    }

    function _setPaused(bool paused_) internal {
        _hot = paused_ ? _hot | PAUSED_BIT : _hot & ~PAUSED_BIT;
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
                if (latest != 0) _archive[latest / 3 - 1] = hot;
                // Cut after 2106; the base is then far off and every round is stored wide, exactly.
                hot = (latest << ROUND_SHIFT) | (uint256(uint32(block.timestamp)) << BASE_SHIFT);
            }
            // Any time that is not shortly after the base, on either side, is a number too large for an entry.
            uint256 elapsed = block.timestamp - uint32(hot >> BASE_SHIFT);
            uint256 entry;
            if (elapsed < WIDE_MARK && answer == int48(answer)) {
                entry = (uint256(uint48(int48(answer))) << 16) | elapsed;
            } else {
                entry = WIDE_MARK;
                uint256 time = uint40(block.timestamp);
                _wide[latest + 1] = (uint256(answer) << 80) | (time << 40) | time;
            }
            _hot = (hot + (1 << ROUND_SHIFT)) | (entry << (index * ENTRY_BITS));
        }
    }

    /// @dev Answer and time of a round that exists, `0 < roundId <= _latestOf(hot)`.
    function _round(uint256 hot, uint256 roundId) internal view returns (int256 answer, uint256 time) {
        unchecked {
            uint256 group = (roundId - 1) / 3;
            uint256 word = group == (_latestOf(hot) - 1) / 3 ? hot : _archive[group];
            return _entry(word, roundId);
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
            uint256 wide = _wide[roundId];
            return (int256(wide) >> 80, uint40(wide));
        }
    }
}
