// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Median} from "./Median.sol";

/// @title Rounds that collect submissions, and the history of all of them, two to a slot.
/// @notice A submission reads and writes the latest round's word and, unless it is the first or the last of its round,
/// one word of submissions. Opening a round moves the one before into the history. Words are read once and handed on.
///
/// A round's word, of the latest one and of the one before it:
///
///     id32 [255:224] | answered32 [223:192] | timeout32 [191:160] | min8 | max8 | count8 | flags8 [135:128] | entry128
///
/// `answered` is the latest answered round: this one, once it has an answer. `timeout`, `min`, `max` and `count` are 0
/// in a round that takes no submissions any more. A round's entry, the same in its word and in the history:
///
///     value64 [127:64] | startedAt40 [63:24] | seconds24 [23:0] from then to the answer
///
/// `value` is the answer; in a round with a single submission and no answer yet, that submission. The seconds 0xffffff
/// are a mark: the time of the answer and the round it was found in are in `_times`, because it came 194 days late
/// or the round timed out. A value of -2^63 is a mark too: the number is in `_wide`, because 64 bits cannot hold it.
///
/// The first submission of a round stays in `value`, the last is read from the call, the others are in `_submissions`
/// by their order. They are never cleared, and the round's count says which are its own. Two rounds at most are open,
/// one after the other: each has the half of `_submissions` that its id's parity names.
///
/// It does not decide who may submit or open a round, nor which values are acceptable: that is the caller's.
abstract contract FluxRounds {
    /// @dev The most submissions that a round can have.
    uint256 internal constant SUBMISSIONS_MAX = 77;
    /// @dev The last round whose id fits its bits.
    uint256 internal constant ROUND_MAX = type(uint32).max;

    uint256 private constant ID_SHIFT = 224;
    uint256 private constant ANSWERED_SHIFT = 192;
    uint256 private constant TIMEOUT_SHIFT = 160;
    uint256 private constant MIN_SHIFT = 152;
    uint256 private constant MAX_SHIFT = 144;
    uint256 private constant COUNT_SHIFT = 136;
    uint256 private constant FLAGS_SHIFT = 128;
    uint256 private constant VALUE_SHIFT = 64;
    uint256 private constant STARTED_SHIFT = 24;
    /// @dev Timeout, minimum, maximum and count.
    uint256 private constant DETAILS = uint256(type(uint56).max) << COUNT_SHIFT;
    uint256 private constant LATE_MARK = type(uint24).max;
    int256 private constant WIDE_MARK = type(int64).min;

    uint256 private constant LANES = 4;
    uint256 private constant LANE_BITS = 64;
    /// @dev Words for all submissions of a round but the last.
    uint256 private constant LANE_WORDS = (SUBMISSIONS_MAX - 1 + LANES - 1) / LANES;
    /// @dev In `_wide`, rounds are named by their id and submissions from here on.
    uint256 private constant WIDE_SUBMISSIONS = 1 << 32;

    /// @dev Slot 0: the latest round.
    uint256 private _latest;
    /// @dev Slot 1: the last round that was still taking submissions when the next one was opened.
    uint256 private _leftOpen;
    /// @dev Slot 2: two entries to a word, that of the odd round in the upper half.
    mapping(uint256 pair => uint256 word) private _history;
    /// @dev Slot 3: updatedAt [255:32] | answeredInRound32 [31:0], of rounds whose entry has the mark.
    mapping(uint256 roundId => uint256 word) private _times;
    /// @dev Slot 4: numbers whose cell has the mark.
    mapping(uint256 key => int256 number) private _wide;
    /// @dev From slot 5 on: four cells to a word.
    uint256[LANE_WORDS][2] private _submissions;

    /// @dev Whether a round takes a median at every submission from its minimum on, or only there and at its end.
    bool private immutable EVERY_SUBMISSION;

    constructor(bool everySubmission) {
        EVERY_SUBMISSION = everySubmission;
    }

    // ------------------------------------------------------------------ the latest round's word

    function _load() internal view returns (uint256 round) {
        return _latest;
    }

    /// @dev Number of the round, 0 before the first.
    function _idOf(uint256 round) internal pure returns (uint256) {
        return round >> ID_SHIFT;
    }

    /// @dev Number of the latest round that has an answer, 0 when none has.
    function _answeredOf(uint256 round) internal pure returns (uint256) {
        return uint32(round >> ANSWERED_SHIFT);
    }

    function _timeoutOf(uint256 round) internal pure returns (uint256) {
        return uint32(round >> TIMEOUT_SHIFT);
    }

    /// @dev Also of an entry.
    function _startedOf(uint256 round) internal pure returns (uint256) {
        return uint40(round >> STARTED_SHIFT);
    }

    /// @dev Whether the round takes submissions.
    function _isOpen(uint256 round) internal pure returns (bool) {
        return uint8(round >> MAX_SHIFT) != 0;
    }

    /// @dev A bit for the caller's use, handed on from round to round.
    function _flagOf(uint256 round) internal pure returns (bool) {
        return uint8(round >> FLAGS_SHIFT) != 0;
    }

    function _setFlag(bool flag) internal {
        uint256 bit = 1 << FLAGS_SHIFT;
        _latest = flag ? _latest | bit : _latest & ~bit;
    }

    /// @dev Whether the next round may be opened. Before the first round it may.
    function _isSupersedable(uint256 round) internal view returns (bool) {
        return _answeredOf(round) == _idOf(round) || _hasTimedOut(round);
    }

    function _hasTimedOut(uint256 round) private view returns (bool) {
        uint256 timeout_ = _timeoutOf(round);
        return timeout_ != 0 && _startedOf(round) + timeout_ < block.timestamp;
    }

    /// @dev The word of the round before the latest if it still takes submissions, else 0.
    function _loadOpen(uint256 roundId) internal view returns (uint256 round) {
        round = _leftOpen;
        if (_idOf(round) != roundId || !_isOpen(round)) round = 0;
    }

    // ------------------------------------------------------------------ writing

    /// @dev Moves `round`, the word of `_load`, which has to be supersedable, into the history.
    /// @return next the word of the round after it, which the caller hands to `_take` or `_keep`
    function _open(uint256 round, uint256 timeout_, uint256 min, uint256 max)
        internal
        returns (uint256 next)
    {
        uint256 id = _idOf(round);
        if (id != 0) _leave(round, id);
        unchecked {
            next = ((id + 1) << ID_SHIFT) | (_answeredOf(round) << ANSWERED_SHIFT)
                | (timeout_ << TIMEOUT_SHIFT) | (min << MIN_SHIFT) | (max << MAX_SHIFT)
                | (round & (uint256(type(uint8).max) << FLAGS_SHIFT))
                | (uint256(uint40(block.timestamp)) << STARTED_SHIFT);
        }
    }

    /// @dev Stores the latest round's word.
    function _keep(uint256 round) internal {
        _latest = round;
    }

    /// @dev Takes a submission to the round `roundId`: the one of the word `round`, which is the latest, or the one
    /// before it. Reverts when that round takes no submissions.
    /// @return answered whether the round has a new answer
    /// @return answer that answer
    function _take(uint256 round, uint256 roundId, int256 submission)
        internal
        returns (bool answered, int256 answer)
    {
        bool isLatest = roundId == _idOf(round);
        if (!isLatest) round = _loadOpen(roundId);
        require(_isOpen(round), "round not accepting submissions");
        (round, answered, answer) = _add(round, roundId, submission);
        if (isLatest) {
            _latest = round;
        } else {
            _leftOpen = round;
            if (answered) _putEntry(roundId, round);
        }
    }

    /// @dev Adds a submission to a word.
    function _add(uint256 round, uint256 id, int256 submission)
        private
        returns (uint256, bool answered, int256 answer)
    {
        uint256 index = uint8(round >> COUNT_SHIFT);
        uint256 count;
        unchecked {
            count = index + 1;
        }
        uint256 min = uint8(round >> MIN_SHIFT);
        bool closes = count == uint8(round >> MAX_SHIFT);
        answered = count >= min && (EVERY_SUBMISSION || count == min || closes);
        if (answered) {
            answer = index == 0 ? submission : Median.calculate(_gather(round, id, index, submission));
        }
        if (!closes) round = _store(round, id, index, submission);
        if (answered) round = _answer(round, id, answer);
        unchecked {
            return (closes ? round & ~DETAILS : round + (1 << COUNT_SHIFT), answered, answer);
        }
    }

    /// @dev Stores the submission number `index`, counted from 0.
    function _store(uint256 round, uint256 id, uint256 index, int256 submission) private returns (uint256) {
        if (index == 0) return _withValue(round, _pack(id, submission));
        uint256 half = id & 1;
        uint256 cell = _pack(_wideKey(half, index), submission);
        if (index == 1) {
            // The first one is going to give its place to an answer. What is behind the two belongs to no open round.
            uint256 first = _pack(_wideKey(half, 0), _unpack(id, uint64(round >> VALUE_SHIFT)));
            _submissions[half][0] = first | (cell << LANE_BITS);
            return round;
        }
        unchecked {
            uint256[LANE_WORDS] storage words = _submissions[half];
            uint256 shift = (index % LANES) * LANE_BITS;
            uint256 others = words[index / LANES] & ~(uint256(type(uint64).max) << shift);
            words[index / LANES] = others | (cell << shift);
        }
        return round;
    }

    /// @dev All submissions of a round: `stored` stored ones and the present one.
    function _gather(uint256 round, uint256 id, uint256 stored, int256 submission)
        private
        view
        returns (int256[] memory list)
    {
        unchecked {
            if (stored == 1) {
                list = new int256[](2);
                list[0] = _unpack(id, uint64(round >> VALUE_SHIFT));
                list[1] = submission;
                return list;
            }
            // Words are unpacked whole; what is behind the stored ones is overwritten or cut off.
            list = new int256[](stored + LANES);
            uint256[LANE_WORDS] storage words = _submissions[id & 1];
            int256 mark = WIDE_MARK;
            bool anyWide = false;
            assembly ("memory-safe") {
                let slot := words.slot
                let cell := add(list, 0x20)
                for { let end := add(cell, shl(5, stored)) } lt(cell, end) { slot := add(slot, 1) } {
                    let word := sload(slot)
                    for { let behind := add(cell, 0x80) } lt(cell, behind) { cell := add(cell, 0x20) } {
                        let value := signextend(7, word)
                        anyWide := or(anyWide, eq(value, mark))
                        mstore(cell, value)
                        word := shr(64, word)
                    }
                }
                mstore(list, add(stored, 1))
            }
            if (anyWide) {
                for (uint256 i = 0; i < stored; ++i) {
                    if (list[i] == WIDE_MARK) list[i] = _wide[_wideKey(id & 1, i)];
                }
            }
            list[stored] = submission;
        }
    }

    /// @dev Puts an answer of the present time into a word.
    function _answer(uint256 round, uint256 id, int256 answer) private returns (uint256) {
        uint256 elapsed;
        unchecked {
            elapsed = uint40(block.timestamp) - _startedOf(round);
            if (elapsed >= LATE_MARK) {
                elapsed = LATE_MARK;
                _times[id] = (block.timestamp << 32) | id;
            }
        }
        round = _withValue(round, _pack(id, answer)) & ~(LATE_MARK | (ROUND_MAX << ANSWERED_SHIFT));
        return round | elapsed | (id << ANSWERED_SHIFT);
    }

    /// @dev Puts the latest round into the history when the next one is opened.
    function _leave(uint256 round, uint256 id) private {
        if (_hasTimedOut(round)) {
            uint256 before = _entry(id - 1);
            (int256 answer,, uint256 answeredIn) = _decode(before, id - 1);
            _times[id] = (block.timestamp << 32) | answeredIn;
            round = _withValue(round, _pack(id, answer)) | LATE_MARK;
        } else if (_isOpen(round)) {
            _leftOpen = round;
        }
        _putEntry(id, round);
    }

    function _withValue(uint256 round, uint256 cell) private pure returns (uint256) {
        return (round & ~(uint256(type(uint64).max) << VALUE_SHIFT)) | (cell << VALUE_SHIFT);
    }

    /// @dev Stores the entry of a word in the history.
    function _putEntry(uint256 id, uint256 round) private {
        unchecked {
            uint256 shift = (id & 1) * 128;
            uint256 kept = _history[id >> 1] & ~(uint256(type(uint128).max) << shift);
            _history[id >> 1] = kept | (uint256(uint128(round)) << shift);
        }
    }

    // ------------------------------------------------------------------ reading

    /// @dev A round by its number in full width. Without an answer, or without such a round, `answeredIn` is 0 and so
    /// are answer and time.
    /// @param round the word of `_load`
    function _read(uint256 round, uint256 id)
        internal
        view
        returns (int256 answer, uint256 startedAt, uint256 updatedAt, uint256 answeredIn)
    {
        uint256 latest = _idOf(round);
        if (id == 0 || id > latest) return (0, 0, 0, 0);
        uint256 entry = id == latest ? uint128(round) : _entry(id);
        startedAt = _startedOf(entry);
        if (id != latest || id == _answeredOf(round)) (answer, updatedAt, answeredIn) = _decode(entry, id);
    }

    /// @dev Answer of a round before the latest and the round it was found in, both 0 when it has none.
    function _readPast(uint256 id) internal view returns (int256 answer, uint256 answeredIn) {
        (answer,, answeredIn) = _decode(_entry(id), id);
    }

    /// @dev The entry of a round before the latest, and of round 0, which never had an answer.
    function _entry(uint256 id) private view returns (uint256) {
        if (id == 0) return LATE_MARK;
        unchecked {
            return uint128(_history[id >> 1] >> ((id & 1) * 128));
        }
    }

    function _decode(uint256 entry, uint256 id)
        private
        view
        returns (int256 answer, uint256 updatedAt, uint256 answeredIn)
    {
        uint256 elapsed = uint24(entry);
        if (elapsed != LATE_MARK) {
            unchecked {
                return (_unpack(id, uint64(entry >> VALUE_SHIFT)), _startedOf(entry) + elapsed, id);
            }
        }
        uint256 word = _times[id];
        answeredIn = uint32(word);
        // Nothing was found to be carried into it.
        if (answeredIn == 0) return (0, 0, 0);
        return (_unpack(id, uint64(entry >> VALUE_SHIFT)), word >> 32, answeredIn);
    }

    // ------------------------------------------------------------------ numbers in 64 bits

    /// @dev The cell of a number; one that does not fit exactly is kept whole under `key`.
    function _pack(uint256 key, int256 number) internal returns (uint256 cell) {
        if (number != int64(number) || number == WIDE_MARK) {
            _wide[key] = number;
            number = WIDE_MARK;
        }
        return uint64(int64(number));
    }

    function _unpack(uint256 key, uint256 cell) internal view returns (int256 number) {
        number = int64(uint64(cell));
        if (number == WIDE_MARK) number = _wide[key];
    }

    /// @dev The name in `_wide` of a submission, and of an account's latest one; no two names are the same.
    function _wideKey(uint256 half, uint256 index) private pure returns (uint256) {
        unchecked {
            return WIDE_SUBMISSIONS + (half << 8) + index;
        }
    }

    function _wideKeyOf(address account) internal pure returns (uint256) {
        return uint256(uint160(account)) << 96;
    }
}
