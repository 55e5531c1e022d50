// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorValidator} from "../../src/interfaces/hooks/IAggregatorValidator.sol";

/// @title A validator that remembers what it was told.
contract Listener is IAggregatorValidator {
    uint256 public calls;
    bytes public told;

    function validate(
        uint256 previousRoundId,
        int256 previousAnswer,
        uint256 currentRoundId,
        int256 currentAnswer
    ) external override returns (bool) {
        ++calls;
        told = abi.encode(previousRoundId, previousAnswer, currentRoundId, currentAnswer);
        return false;
    }
}
