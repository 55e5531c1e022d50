// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {Aggregator} from "../Aggregator.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {IRoundHistory} from "../interfaces/IRoundHistory.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IUpgradeableAggregator} from "../interfaces/standard/IUpgradeableAggregator.sol";

/// @title The aggregator as an implementation behind `UpgradeableProxy`.
/// @notice The implementation by itself is owned by itself, which is nobody, and cannot be initialised.
///
/// Storage: the variables of `Aggregator` and its bases from slot 0 on, in their order; the initialiser's state is in
/// a namespace (ERC-7201). A later implementation must keep that order and may only add behind it.
contract UpgradeableAggregator is IUpgradeableAggregator, Aggregator, Initializable, UUPSUpgradeable {
    /// @param decimals_ decimal places of every answer
    /// @param minAnswer_ the smallest answer accepted
    /// @param maxAnswer_ the largest answer accepted
    /// @param archivedGroups_ as the aggregator's; 0 for every round, for ever
    constructor(uint8 decimals_, int256 minAnswer_, int256 maxAnswer_, uint32 archivedGroups_)
        Aggregator(decimals_, "", minAnswer_, maxAnswer_, address(this), address(0), archivedGroups_)
    {
        _disableInitializers();
    }

    /// @inheritdoc IUpgradeableAggregator
    function initialize(string calldata description_, address owner_, address transmitter)
        external
        override
        initializer
    {
        require(owner_ != address(0), "Cannot set owner to zero");
        owner = owner_;
        description = description_;
        emit OwnershipTransferred(address(0), owner_);
        if (transmitter != address(0)) _setTransmitter(transmitter, true);
    }

    /// @inheritdoc ITypeAndVersion
    function typeAndVersion() external pure override returns (string memory) {
        return "UpgradeableAggregator 1.0.0";
    }

    /// @inheritdoc UUPSUpgradeable
    function _authorizeUpgrade(address implementation) internal view override onlyOwner {
        bool compatible = IAggregatorV2V3(implementation).decimals() == decimals
            && IRoundHistory(implementation).archivedGroups() == this.archivedGroups();
        if (!compatible) revert IncompatibleImplementation(implementation);
    }
}
