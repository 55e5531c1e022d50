// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "./Owned.sol";
import {IReadAccess} from "./interfaces/IReadAccess.sol";

/// @title The list of readers.
/// @notice A reader on the list pays one slot more; anybody else pays a second one to learn whether the list is asked.
abstract contract ReadAccess is IReadAccess, Owned {
    mapping(address user => bool listed) private _listed;

    /// @inheritdoc IReadAccess
    bool public override checkEnabled = true;

    modifier checkAccess() {
        _checkAccess();
        _;
    }

    /// @inheritdoc IReadAccess
    function addAccess(address user) external override onlyOwner {
        if (user == address(0)) revert InvalidReader(user);
        if (_listed[user]) return;
        _listed[user] = true;
        emit AddedAccess(user);
    }

    /// @inheritdoc IReadAccess
    function removeAccess(address user) external override onlyOwner {
        if (!_listed[user]) return;
        _listed[user] = false;
        emit RemovedAccess(user);
    }

    /// @inheritdoc IReadAccess
    function enableAccessCheck() external override onlyOwner {
        if (checkEnabled) return;
        checkEnabled = true;
        emit CheckAccessEnabled();
    }

    /// @inheritdoc IReadAccess
    function disableAccessCheck() external override onlyOwner {
        if (!checkEnabled) return;
        checkEnabled = false;
        emit CheckAccessDisabled();
    }

    /// @inheritdoc IReadAccess
    function hasAccess(address user, bytes calldata) external view override returns (bool) {
        return _mayRead(user);
    }

    /// @dev A function, because the text of a modifier is repeated wherever it is used.
    function _checkAccess() private view {
        require(_mayRead(msg.sender), "No access");
    }

    /// @dev The origin is asked for nothing but this: no right to write hangs on it.
    function _mayRead(address user) private view returns (bool) {
        // solhint-disable-next-line avoid-tx-origin
        return user == tx.origin || _listed[user] || !checkEnabled;
    }
}
