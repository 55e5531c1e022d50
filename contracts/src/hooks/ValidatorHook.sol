// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {IAggregatorValidator} from "../interfaces/hooks/IAggregatorValidator.sol";
import {IValidatorHook} from "../interfaces/hooks/IValidatorHook.sol";
import {ExactGas} from "./ExactGas.sol";

/// @title The validator of a feed, in one slot.
/// @notice A feed that derives from this keeps a bit, in a word it reads anyway, that says whether there is a
/// validator, and calls `_validate` only then: a feed without one pays nothing.
abstract contract ValidatorHook is IValidatorHook, Owned {
    uint256 private constant ADDRESS_BITS = 160;

    /// @dev gasLimit32 [191:160] | validator160 [159:0].
    uint256 private _hook;

    /// @inheritdoc IValidatorHook
    function setValidator(address validator_, uint32 gasLimit) external override onlyOwner {
        bool watched = validator_ != address(0);
        if (watched != (gasLimit != 0) || watched != (validator_.code.length != 0)) {
            revert InvalidValidator(validator_, gasLimit);
        }
        (address previous, uint32 previousGasLimit) = validator();
        _hook = uint256(gasLimit) << ADDRESS_BITS | uint160(validator_);
        _setWatched(watched);
        emit ValidatorConfigSet(previous, previousGasLimit, validator_, gasLimit);
    }

    /// @inheritdoc IValidatorHook
    function validator() public view override returns (address validator_, uint32 gasLimit) {
        uint256 hook = _hook;
        return (address(uint160(hook)), uint32(hook >> ADDRESS_BITS));
    }

    /// @dev Tells the validator, which must exist, of a round. The last thing a submission does: the validator may
    /// call back, and then finds the round stored.
    function _validate(
        uint256 previousRoundId,
        int256 previousAnswer,
        uint256 currentRoundId,
        int256 currentAnswer
    ) internal {
        (address target, uint32 gasLimit) = validator();
        ExactGas.callWithExactGas(
            target,
            gasLimit,
            abi.encodeCall(
                IAggregatorValidator.validate,
                (previousRoundId, previousAnswer, currentRoundId, currentAnswer)
            )
        );
    }

    /// @dev Keeps the bit that says whether there is a validator.
    function _setWatched(bool watched) internal virtual;
}
