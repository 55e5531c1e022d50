// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {RoundHistory} from "../RoundHistory.sol";
import {RoundReads} from "../RoundReads.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IReportAggregator} from "../interfaces/report/IReportAggregator.sol";

import {SignerSet} from "./SignerSet.sol";

/// @title A feed written by reports that a quorum signed, with every round kept and read by anyone.
/// @notice A report reads the slot and the code of the signers and the hot word, and writes the hot word; every third
/// round writes one slot more. It does not bill, or call anyone.
contract ReportAggregator is IReportAggregator, RoundReads, SignerSet {
    uint256 private constant ANSWERS_START = 13;
    uint256 private constant ANSWER_BYTES = 8;

    /// @inheritdoc IAggregatorV2V3
    uint8 public immutable override decimals;
    /// @inheritdoc IReportAggregator
    int256 public immutable override minAnswer;
    /// @inheritdoc IReportAggregator
    int256 public immutable override maxAnswer;
    /// @inheritdoc IReportAggregator
    uint32 public immutable override maxAgeSeconds;

    /// @inheritdoc IAggregatorV2V3
    uint256 public constant override version = 1;
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "ReportAggregator 1.0.0";

    /// @inheritdoc IAggregatorV2V3
    string public override description;

    /// @param decimals_ decimal places of every answer
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param minAnswer_ the smallest answer accepted, not below -2^63
    /// @param maxAnswer_ the largest answer accepted, below 2^63
    /// @param maxAgeSeconds_ how long before its block a report may have been observed
    /// @param owner_ who administers the feed
    /// @param signers_ who signs reports, between 3f + 1 and 32 accounts
    /// @param f how many signers may be faulty, at least 1
    constructor(
        uint8 decimals_,
        string memory description_,
        int256 minAnswer_,
        int256 maxAnswer_,
        uint32 maxAgeSeconds_,
        address owner_,
        address[] memory signers_,
        uint8 f
    ) RoundHistory(0) Owned(owner_) {
        // A bound that no report can reach is a mistake about the decimal places.
        bool reachable = minAnswer_ >= type(int64).min && maxAnswer_ <= type(int64).max;
        if (!reachable || minAnswer_ > maxAnswer_) revert InvalidBounds(minAnswer_, maxAnswer_);
        if (maxAgeSeconds_ == 0) revert InvalidMaxAge();
        decimals = decimals_;
        minAnswer = minAnswer_;
        maxAnswer = maxAnswer_;
        maxAgeSeconds = maxAgeSeconds_;
        description = description_;
        _setSigners(signers_, f);
    }

    /// @inheritdoc IReportAggregator
    function transmit() external override {
        uint256 config = _loadConfiguration();
        uint256 attestation = _attestationBytes(config);
        uint256 hot = _load();
        if (_isPaused(hot)) revert Paused();

        // roundId4 | observedAt4 | count1
        uint256 head = _word(REPORT_START);
        uint256 count = uint8(head >> 184);
        unchecked {
            uint256 end = ANSWERS_START + count * ANSWER_BYTES;
            if (msg.data.length != end + attestation) revert WrongLength(msg.data.length, end + attestation);
            uint256 expected = _latestOf(hot) + 1;
            if (head >> 224 != expected) revert StaleRound(head >> 224, expected);
            uint256 min = 2 * _faultsOf(config) + 1;
            if (count < min || count > _sizeOf(config)) revert WrongAnswerCount(count, min, _sizeOf(config));
            _checkTime(hot, uint32(head >> 192));
            int256 answer = _median(count);
            _checkQuorum(config, end);
            _append(hot, answer);
            emit NewRound(expected, address(0), block.timestamp);
            emit AnswerUpdated(answer, expected, block.timestamp);
        }
    }

    /// @inheritdoc IReportAggregator
    function pause() external override onlyOwner {
        _changePause(true);
    }

    /// @inheritdoc IReportAggregator
    function unpause() external override onlyOwner {
        _changePause(false);
    }

    /// @inheritdoc IReportAggregator
    function paused() external view override returns (bool) {
        return _isPaused(_load());
    }

    /// @inheritdoc IReportAggregator
    function reportState()
        external
        view
        override
        returns (uint256 latestRound_, int256 latestAnswer_, uint256 updatedAt, bool paused_, bytes32 domain)
    {
        uint256 hot = _load();
        (latestRound_, latestAnswer_, updatedAt) = _latest(hot);
        paused_ = _isPaused(hot);
        domain = _domain(_loadConfiguration());
    }

    function _checkTime(uint256 hot, uint256 observedAt) private view {
        if (observedAt > block.timestamp) revert ObservedInFuture(observedAt, block.timestamp);
        (,, uint256 oldest) = _latest(hot);
        if (block.timestamp > oldest + maxAgeSeconds) oldest = block.timestamp - maxAgeSeconds;
        if (observedAt < oldest) revert ObservedTooEarly(observedAt, oldest);
    }

    /// @dev The middle of the answers in the call data, or the upper of two, once they are seen to be in order.
    function _median(uint256 count) private view returns (int256 answer) {
        unchecked {
            int256 previous = type(int256).min;
            for (uint256 i = 0; i < count; ++i) {
                int256 current = _answerAt(i);
                if (current < previous) revert AnswersNotSorted(i);
                previous = current;
            }
            answer = _answerAt(count / 2);
        }
        if (answer < minAnswer || answer > maxAnswer) revert AnswerOutOfBounds(answer, minAnswer, maxAnswer);
    }

    function _answerAt(uint256 index) private pure returns (int256) {
        unchecked {
            return int256(_word(ANSWERS_START + index * ANSWER_BYTES)) >> 192;
        }
    }

    function _changePause(bool paused_) private {
        if (_isPaused(_load()) == paused_) return;
        _setPaused(paused_);
        emit PauseChanged(paused_, msg.sender);
    }
}
