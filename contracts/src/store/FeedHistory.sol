// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Storage of every round of many feeds: eight counters to a slot, three rounds to a slot.
/// @notice A counter's lane, feed f in lane f mod 8, and a group of three rounds:
///
///     paused1 [31] | count31 [30:0]
///     base32 [255:224] | e2 [221:148] | e1 [147:74] | e0 [73:0]
///     e_i = int56 answer [73:18] | uint18 seconds since base [17:0]
///
/// `base` is the time of the group's first round. Round r of feed f has position p = r - 1 + f mod 3 and lives in
/// e_(p mod 3) of group p / 3: feeds that are always written together do not all open a fresh slot in the same report.
/// The first group of two feeds in three hence lacks one or two entries.
///
/// A round that does not fit exactly - an answer of more than 56 bits, or more than 262,142 s (72.8 h) after the base -
/// carries 0x3ffff in place of the seconds, 0 in place of the answer, and is stored in `_wide` instead:
///
///     int64 answer, its sign extended [255:40] | time40 [39:0]
///
/// It does not decide who may write, nor which answer is acceptable: that is the heir's.
abstract contract FeedHistory {
    uint256 private constant BASE_SHIFT = 224;
    uint256 private constant ENTRY_BITS = 74;
    uint256 private constant TIME_BITS = 18;
    uint256 private constant WIDE_MARK = 0x3ffff;
    uint256 private constant LANE_BITS = 32;
    /// @dev From here on a lane is paused; one below, its rounds are used up.
    uint256 internal constant PAUSED_BIT = 1 << 31;
    uint256 internal constant ROUND_MAX = PAUSED_BIT - 1;

    /// @dev Lanes of feeds 8i to 8i + 7, by i.
    mapping(uint256 lanes => uint256 word) internal _counters;
    /// @dev Groups of three rounds, by feed << 32 | group.
    mapping(uint256 key => uint256 word) private _groups;
    /// @dev Rounds that do not fit their entry, by feed << 32 | round.
    mapping(uint256 key => uint256 word) private _wide;

    /// @dev Stores the round after the `count` that the feed has, at the present block's time. `answer` must fit 64
    /// bits.
    function _append(uint256 feed, uint256 count, int256 answer) internal {
        unchecked {
            uint256 position = count + feed % 3;
            uint256 index = position % 3;
            uint256 key = feed << 32 | position / 3;
            uint256 word = 0;
            if (index != 0) word = _groups[key];
            // Cut after 2106; the base is then far off and every round is stored wide, exactly.
            if (word == 0) word = uint256(uint32(block.timestamp)) << BASE_SHIFT;
            uint256 elapsed = block.timestamp - (word >> BASE_SHIFT);
            uint256 entry;
            if (elapsed < WIDE_MARK && answer == int56(answer)) {
                entry = (uint256(uint56(int56(answer))) << TIME_BITS) | elapsed;
            } else {
                entry = WIDE_MARK;
                _wide[feed << 32 | (count + 1)] = (uint256(answer) << 40) | uint40(block.timestamp);
            }
            _groups[key] = word | (entry << (index * ENTRY_BITS));
        }
    }

    /// @dev How many rounds a feed has; 0 for a feed that was never written, of whatever number.
    function _countOf(uint256 feed) internal view returns (uint256) {
        return _lane(_counters[feed >> 3], feed) & ROUND_MAX;
    }

    /// @dev Answer and time of a round that exists, `0 < roundId <= _countOf(feed)`.
    function _round(uint256 feed, uint256 roundId) internal view returns (int256 answer, uint256 time) {
        unchecked {
            uint256 position = roundId - 1 + feed % 3;
            uint256 word = _groups[feed << 32 | position / 3];
            uint256 entry = word >> (position % 3 * ENTRY_BITS);
            uint256 elapsed = entry & WIDE_MARK;
            if (elapsed != WIDE_MARK) {
                return (int56(uint56(entry >> TIME_BITS)), (word >> BASE_SHIFT) + elapsed);
            }
            uint256 wide = _wide[feed << 32 | roundId];
            return (int256(wide) >> 40, uint40(wide));
        }
    }

    function _lane(uint256 word, uint256 feed) internal pure returns (uint256) {
        return uint32(word >> _laneShift(feed));
    }

    function _laneShift(uint256 feed) internal pure returns (uint256) {
        unchecked {
            return (feed & 7) * LANE_BITS;
        }
    }
}
