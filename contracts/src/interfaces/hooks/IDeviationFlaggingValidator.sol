// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../IOwned.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {IAggregatorValidator} from "./IAggregatorValidator.sol";

/// @title Raises a feed's flag when its price jumps.
/// @notice Functions and events are those of Chainlink's contract of the same name. Unlike it nothing is rounded: a
/// change above the threshold, by however little, is not valid.
interface IDeviationFlaggingValidator is IAggregatorValidator, IOwned, ITypeAndVersion {
    /// @notice The flags must be a contract.
    error InvalidFlags(address flags);

    /// @notice The threshold changed, in thousandths of a percent.
    event FlaggingThresholdUpdated(uint24 indexed previous, uint24 indexed current);

    /// @notice Flags are raised at `current` from now on.
    event FlagsAddressUpdated(address indexed previous, address indexed current);

    /// @notice Sets the change that is still valid. Only the owner.
    /// @param flaggingThreshold_ in thousandths of a percent of the answer before: 5000 is 5 %
    function setFlaggingThreshold(uint24 flaggingThreshold_) external;

    /// @notice Sets where flags are raised. This contract must have the right to raise them there. Only the owner.
    function setFlagsAddress(address flags_) external;

    /// @notice Whether an answer is no jump: `|previous - current| * 100,000 <= |previous| * threshold`. After an
    /// answer of 0, as before the first one, every answer is valid. A difference of 2^256 / 100,000 and more never is.
    /// @param previousRoundId ignored
    /// @param previousAnswer the answer before, 0 when there is none
    /// @param currentRoundId ignored
    /// @param currentAnswer the answer that is looked at
    function isValid(
        uint256 previousRoundId,
        int256 previousAnswer,
        uint256 currentRoundId,
        int256 currentAnswer
    ) external view returns (bool);

    /// @notice The change that is still valid, in thousandths of a percent of the answer before.
    function flaggingThreshold() external view returns (uint24);

    /// @notice Where flags are raised.
    function flags() external view returns (address);

    /// @notice The threshold that stands for a change of 100 %.
    function THRESHOLD_MULTIPLIER() external view returns (uint32);
}
