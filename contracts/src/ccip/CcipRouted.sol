// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {ICcipRouted} from "../interfaces/ccip/ICcipRouted.sol";

/// @title The one router that is trusted.
abstract contract CcipRouted is ICcipRouted, Owned {
    /// @inheritdoc ICcipRouted
    address public override router;
    /// @inheritdoc ICcipRouted
    address public override proposedRouter;

    constructor(address router_) {
        _setRouter(router_);
    }

    /// @inheritdoc ICcipRouted
    function proposeRouter(address proposed) external override onlyOwner {
        if (proposed != address(0) && proposed.code.length == 0) revert InvalidRouter(proposed);
        proposedRouter = proposed;
        emit RouterProposed(router, proposed);
    }

    /// @inheritdoc ICcipRouted
    function confirmRouter(address proposed) external override onlyOwner {
        if (proposed != proposedRouter) revert NotProposedRouter(proposed, proposedRouter);
        proposedRouter = address(0);
        _setRouter(proposed);
    }

    /// @dev Refuses the zero address, which has no code, and a contract that is gone by now.
    function _setRouter(address latest) private {
        if (latest.code.length == 0) revert InvalidRouter(latest);
        emit RouterConfirmed(router, latest);
        router = latest;
    }
}
