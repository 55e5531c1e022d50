// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "./interfaces/IOwned.sol";

/// @title Two-step ownership. There is no way to renounce it.
abstract contract Owned is IOwned {
    /// @inheritdoc IOwned
    address public override owner;

    /// @inheritdoc IOwned
    address public override pendingOwner;

    modifier onlyOwner() {
        _onlyOwner();
        _;
    }

    constructor(address owner_) {
        require(owner_ != address(0), "Cannot set owner to zero");
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    /// @inheritdoc IOwned
    function transferOwnership(address to) external override onlyOwner {
        require(to != msg.sender, "Cannot transfer to self");
        pendingOwner = to;
        emit OwnershipTransferRequested(msg.sender, to);
    }

    /// @inheritdoc IOwned
    function acceptOwnership() external override {
        require(msg.sender == pendingOwner, "Must be proposed owner");
        address from = owner;
        owner = msg.sender;
        pendingOwner = address(0);
        emit OwnershipTransferred(from, msg.sender);
    }

    /// @dev A function, because the text of a modifier is repeated wherever it is used.
    function _onlyOwner() private view {
        require(msg.sender == owner, "Only callable by owner");
    }
}
