// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";

/// @title One feed of a store at an address of its own, as consumers expect it.
/// @notice Each read is one call into the store; the facade holds no rounds. It emits `NewRound`, started by the zero
/// address, and `AnswerUpdated` only while the store's owner has it announce them.
interface IFeedFacade is IAggregatorV2V3, ITypeAndVersion {
    /// @notice Only the store announces rounds.
    error OnlyStore(address sender);

    /// @notice The store that holds the rounds. Constant.
    function store() external view returns (address);

    /// @notice The feed's number in the store. Constant.
    function feedId() external view returns (uint256);

    /// @notice Emits the two events of a round that the store has just written. Only the store.
    function announce(uint256 roundId, int256 answer) external;
}
