// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A feed that tells a validator of every round.
/// @notice The validator can neither stop a round nor change it: it is called when the round is stored and its events
/// are emitted, and what it returns or reverts with is ignored. It cannot be starved either: a submission whose gas
/// does not reach for the whole of the validator's reverts with the text "insufficient gas".
/// A gas limit for submissions therefore has to cover the dearest round, and 5,000 and 64/63 of the validator's gas
/// besides.
interface IValidatorHook {
    /// @notice A validator must have code and be given gas; without a validator there is no gas to give.
    error InvalidValidator(address validator, uint32 gasLimit);

    /// @notice `currentValidator` is told of every round from now on, the zero address being nobody.
    event ValidatorConfigSet(
        address indexed previousValidator,
        uint32 previousGasLimit,
        address indexed currentValidator,
        uint32 currentGasLimit
    );

    /// @notice Names the validator and the gas it is called with, or nobody by two zeros. Only the owner.
    /// The validator must have code now; that it vanishes later is not looked at, it is then called in vain.
    function setValidator(address validator_, uint32 gasLimit) external;

    /// @notice The validator, zero when there is none, and the gas it is called with.
    function validator() external view returns (address validator_, uint32 gasLimit);
}
