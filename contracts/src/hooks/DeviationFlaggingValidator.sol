// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Deviation} from "../Deviation.sol";
import {Owned} from "../Owned.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IAggregatorValidator} from "../interfaces/hooks/IAggregatorValidator.sol";
import {IDeviationFlaggingValidator} from "../interfaces/hooks/IDeviationFlaggingValidator.sol";
import {IFlags} from "../interfaces/hooks/IFlags.sol";

/// @title The validator that flags its caller.
/// @notice Anybody may call `validate`, and flags nobody but itself by it.
contract DeviationFlaggingValidator is IDeviationFlaggingValidator, Owned {
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "DeviationFlaggingValidator 1.0.0";
    /// @inheritdoc IDeviationFlaggingValidator
    uint32 public constant override THRESHOLD_MULTIPLIER = 100_000;

    /// @inheritdoc IDeviationFlaggingValidator
    address public override flags;
    /// @inheritdoc IDeviationFlaggingValidator
    uint24 public override flaggingThreshold;

    /// @param flags_ where flags are raised
    /// @param flaggingThreshold_ the change that is still valid, in thousandths of a percent
    /// @param owner_ who administers the validator
    constructor(address flags_, uint24 flaggingThreshold_, address owner_) Owned(owner_) {
        _setFlags(flags_);
        _setThreshold(flaggingThreshold_);
    }

    /// @inheritdoc IAggregatorValidator
    function validate(
        uint256 previousRoundId,
        int256 previousAnswer,
        uint256 currentRoundId,
        int256 currentAnswer
    ) external override returns (bool) {
        if (isValid(previousRoundId, previousAnswer, currentRoundId, currentAnswer)) {
            return true;
        }
        IFlags(flags).raiseFlag(msg.sender);
        return false;
    }

    /// @inheritdoc IDeviationFlaggingValidator
    function setFlaggingThreshold(uint24 flaggingThreshold_) external override onlyOwner {
        _setThreshold(flaggingThreshold_);
    }

    /// @inheritdoc IDeviationFlaggingValidator
    function setFlagsAddress(address flags_) external override onlyOwner {
        _setFlags(flags_);
    }

    /// @inheritdoc IDeviationFlaggingValidator
    function isValid(uint256, int256 previousAnswer, uint256, int256 currentAnswer)
        public
        view
        override
        returns (bool)
    {
        return previousAnswer == 0
            || Deviation.within(currentAnswer, previousAnswer, flaggingThreshold, THRESHOLD_MULTIPLIER);
    }

    function _setThreshold(uint24 flaggingThreshold_) private {
        emit FlaggingThresholdUpdated(flaggingThreshold, flaggingThreshold_);
        flaggingThreshold = flaggingThreshold_;
    }

    function _setFlags(address flags_) private {
        if (flags_.code.length == 0) revert InvalidFlags(flags_);
        emit FlagsAddressUpdated(flags, flags_);
        flags = flags_;
    }
}
