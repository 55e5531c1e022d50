// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FeedPolicy} from "./FeedPolicy.sol";
import {Owned} from "./Owned.sol";
import {RoundHistory} from "./RoundHistory.sol";
import {ValidatorHook} from "./hooks/ValidatorHook.sol";
import {IAggregator} from "./interfaces/IAggregator.sol";
import {IAggregatorV2V3} from "./interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "./interfaces/ITypeAndVersion.sol";

/// @title A feed written by one transmitter and read by anyone, with every round kept or as many as were asked for.
/// @notice A submission reads two slots (the sender's role, the hot word, which also holds the pause bit) and
/// writes one; every third round writes one more. The price of packing is in `RoundHistory`.
/// It does not aggregate or bill, and calls nobody but a validator that its owner set.
contract Aggregator is IAggregator, RoundHistory, Owned, ValidatorHook, FeedPolicy {
    uint256 private constant TRANSMITTER = 1;

    /// @inheritdoc IAggregatorV2V3
    uint8 public immutable override decimals;
    /// @inheritdoc IAggregator
    int256 public immutable override minAnswer;
    /// @inheritdoc IAggregator
    int256 public immutable override maxAnswer;

    /// @inheritdoc IAggregatorV2V3
    uint256 public constant override version = 1;
    /// @dev Flags of each account; bit 0 is the right to submit.
    mapping(address account => uint256 flags) private _roles;

    /// @inheritdoc IAggregatorV2V3
    string public override description;

    /// @param decimals_ decimal places of every answer
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param minAnswer_ the smallest answer accepted
    /// @param maxAnswer_ the largest answer accepted
    /// @param owner_ who administers the feed
    /// @param transmitter who may submit from the start; zero for nobody
    /// @param archivedGroups_ how many full groups of three rounds stay readable behind the latest group, a power of
    /// two from 4 on; 0 for every round, for ever
    constructor(
        uint8 decimals_,
        string memory description_,
        int256 minAnswer_,
        int256 maxAnswer_,
        address owner_,
        address transmitter,
        uint32 archivedGroups_
    ) RoundHistory(archivedGroups_) Owned(owner_) {
        // A wider answer would be cut when it is stored outside the packed word.
        bool storable = minAnswer_ >= type(int176).min && maxAnswer_ <= type(int176).max;
        if (!storable || minAnswer_ > maxAnswer_) revert InvalidBounds(minAnswer_, maxAnswer_);
        decimals = decimals_;
        minAnswer = minAnswer_;
        maxAnswer = maxAnswer_;
        description = description_;
        if (transmitter != address(0)) _setTransmitter(transmitter, true);
    }

    /// @inheritdoc IAggregator
    function submit(uint256 roundId, int256 answer) external override {
        if (_roles[msg.sender] & TRANSMITTER == 0) revert NotTransmitter(msg.sender);
        uint256 hot = _load();
        if (_isPaused(hot)) revert Paused();
        unchecked {
            uint256 expected = _latestOf(hot) + 1;
            if (roundId != expected) revert StaleRound(roundId, expected);
        }
        if (answer < minAnswer || answer > maxAnswer) revert AnswerOutOfBounds(answer, minAnswer, maxAnswer);
        _append(hot, answer);
        emit NewRound(roundId, msg.sender, block.timestamp);
        emit AnswerUpdated(answer, roundId, block.timestamp);
        if (_isWatched(hot)) _tell(hot, answer);
    }

    /// @inheritdoc IAggregator
    function setTransmitter(address transmitter, bool authorised) external override onlyOwner {
        if (transmitter == address(0)) revert InvalidTransmitter(transmitter);
        if (isTransmitter(transmitter) != authorised) _setTransmitter(transmitter, authorised);
    }

    /// @inheritdoc IAggregator
    function pause() external override onlyOwner {
        _changePause(true);
    }

    /// @inheritdoc IAggregator
    function unpause() external override onlyOwner {
        _changePause(false);
    }

    /// @inheritdoc ITypeAndVersion
    function typeAndVersion() external pure virtual override returns (string memory) {
        return "Aggregator 1.0.0";
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 hot = _load();
        uint256 latest = _latestOf(hot);
        _demand(latest);
        (answer, updatedAt) = _entry(hot, latest);
        return (uint80(latest), answer, updatedAt, updatedAt, uint80(latest));
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (answer, updatedAt) = _round(_load(), roundId_);
        _demand(updatedAt);
        return (roundId_, answer, updatedAt, updatedAt, roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() external view override returns (int256 answer) {
        (, answer,) = _newest(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() external view override returns (uint256 updatedAt) {
        (,, updatedAt) = _newest(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() external view override returns (uint256) {
        return _latestOf(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) external view override returns (int256 answer) {
        (answer,) = _round(_load(), roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) external view override returns (uint256 updatedAt) {
        (, updatedAt) = _round(_load(), roundId);
    }

    /// @inheritdoc IAggregator
    function feedState(address transmitter)
        external
        view
        override
        returns (uint256 latestRound_, int256 latestAnswer_, uint256 updatedAt, bool paused_, bool authorised)
    {
        uint256 hot = _load();
        (latestRound_, latestAnswer_, updatedAt) = _newest(hot);
        paused_ = _isPaused(hot);
        authorised = isTransmitter(transmitter);
    }

    /// @inheritdoc IAggregator
    function paused() external view override returns (bool) {
        return _isPaused(_load());
    }

    /// @inheritdoc IAggregator
    function isTransmitter(address account) public view override returns (bool) {
        return _roles[account] & TRANSMITTER != 0;
    }

    /// @dev Tells the validator of the round that was stored after `hot`.
    function _tell(uint256 hot, int256 answer) private {
        (uint256 latest, int256 before,) = _newest(hot);
        _validate(latest, before, latest + 1, answer);
    }

    /// @dev The latest round of a hot word, zeros when there is none.
    function _newest(uint256 hot) private view returns (uint256 latest, int256 answer, uint256 updatedAt) {
        latest = _latestOf(hot);
        if (latest != 0) (answer, updatedAt) = _entry(hot, latest);
    }

    /// @inheritdoc ValidatorHook
    function _setWatched(bool watched) internal override(RoundHistory, ValidatorHook) {
        RoundHistory._setWatched(watched);
    }

    function _setTransmitter(address transmitter, bool authorised) internal {
        _roles[transmitter] = authorised ? TRANSMITTER : 0;
        emit TransmitterChanged(transmitter, authorised);
    }

    function _changePause(bool paused_) private {
        if (_isPaused(_load()) == paused_) return;
        _setPaused(paused_);
        emit PauseChanged(paused_, msg.sender);
    }

    /// @dev What is 0 only without a round.
    function _demand(uint256 number) private pure {
        require(number != 0, "No data present");
    }
}
