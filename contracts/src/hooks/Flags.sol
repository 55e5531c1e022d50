// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IFlags} from "../interfaces/hooks/IFlags.sol";

/// @title One flag for each contract that somebody may warn about.
contract Flags is IFlags, Owned {
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "Flags 1.0.0";

    mapping(address subject => bool raised) private _flags;

    /// @inheritdoc IFlags
    mapping(address account => bool authorised) public override isRaiser;

    modifier onlyRaiser() {
        if (!isRaiser[msg.sender] && msg.sender != owner) revert NotRaiser(msg.sender);
        _;
    }

    /// @param owner_ who lowers flags and names who may raise them
    constructor(address owner_) Owned(owner_) {}

    /// @inheritdoc IFlags
    function raiseFlag(address subject) external override onlyRaiser {
        _raise(subject);
    }

    /// @inheritdoc IFlags
    function raiseFlags(address[] calldata subjects) external override onlyRaiser {
        for (uint256 i = 0; i < subjects.length; ++i) {
            _raise(subjects[i]);
        }
    }

    /// @inheritdoc IFlags
    function lowerFlags(address[] calldata subjects) external override onlyOwner {
        for (uint256 i = 0; i < subjects.length; ++i) {
            address subject = subjects[i];
            if (!_flags[subject]) continue;
            _flags[subject] = false;
            emit FlagLowered(subject);
        }
    }

    /// @inheritdoc IFlags
    function setRaiser(address raiser, bool authorised) external override onlyOwner {
        if (raiser == address(0)) revert InvalidRaiser(raiser);
        if (isRaiser[raiser] == authorised) return;
        isRaiser[raiser] = authorised;
        emit RaiserChanged(raiser, authorised);
    }

    /// @inheritdoc IFlags
    function getFlag(address subject) external view override returns (bool) {
        return _flags[subject];
    }

    /// @inheritdoc IFlags
    function getFlags(address[] calldata subjects) external view override returns (bool[] memory raised) {
        raised = new bool[](subjects.length);
        for (uint256 i = 0; i < subjects.length; ++i) {
            raised[i] = _flags[subjects[i]];
        }
    }

    function _raise(address subject) private {
        if (_flags[subject]) return;
        _flags[subject] = true;
        emit FlagRaised(subject);
    }
}
