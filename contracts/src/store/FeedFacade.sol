// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IFeedFacade} from "../interfaces/store/IFeedFacade.sol";
import {IFeedStore} from "../interfaces/store/IFeedStore.sol";

/// @title One feed of a store at an address of its own.
/// @notice Anybody may create one, as often as he likes: it can only tell what the store holds.
contract FeedFacade is IFeedFacade {
    /// @inheritdoc IFeedFacade
    address public immutable override store;
    /// @inheritdoc IFeedFacade
    uint256 public immutable override feedId;
    /// @inheritdoc IAggregatorV2V3
    uint8 public immutable override decimals;

    /// @inheritdoc IAggregatorV2V3
    uint256 public constant override version = 1;
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "FeedFacade 1.0.0";

    /// @param store_ the store that holds the rounds
    /// @param feedId_ a feed of the store; the store refuses an unknown one
    constructor(IFeedStore store_, uint256 feedId_) {
        store = address(store_);
        feedId = feedId_;
        (decimals,,,,,) = store_.feedInfo(feedId_);
    }

    /// @inheritdoc IFeedFacade
    function announce(uint256 roundId, int256 answer) external override {
        if (msg.sender != store) revert OnlyStore(msg.sender);
        emit NewRound(roundId, address(0), block.timestamp);
        emit AnswerUpdated(answer, roundId, block.timestamp);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 latest;
        (latest, answer, updatedAt) = _latest();
        require(latest != 0, "No data present");
        return (uint80(latest), answer, updatedAt, updatedAt, uint80(latest));
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (answer, updatedAt) = _round(roundId_);
        require(updatedAt != 0, "No data present");
        return (roundId_, answer, updatedAt, updatedAt, roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() external view override returns (int256 answer) {
        (, answer,) = _latest();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() external view override returns (uint256 updatedAt) {
        (,, updatedAt) = _latest();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() external view override returns (uint256 roundId) {
        (roundId,,) = _latest();
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) external view override returns (int256 answer) {
        (answer,) = _round(roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) external view override returns (uint256 updatedAt) {
        (, updatedAt) = _round(roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function description() external view override returns (string memory text) {
        (, text,,,,) = IFeedStore(store).feedInfo(feedId);
    }

    function _latest() private view returns (uint256 roundId, int256 answer, uint256 updatedAt) {
        return IFeedStore(store).latestRoundOf(feedId);
    }

    function _round(uint256 roundId) private view returns (int256 answer, uint256 updatedAt) {
        return IFeedStore(store).roundOf(feedId, roundId);
    }
}
