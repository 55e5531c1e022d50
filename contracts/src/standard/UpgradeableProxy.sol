// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @title OpenZeppelin's ERC-1967 proxy, as it is.
/// @notice It has no functions of its own: `typeAndVersion` and all else is the implementation's. It refuses to be
/// deployed without the call that initialises it.
contract UpgradeableProxy is ERC1967Proxy {
    /// @param implementation the code behind the proxy
    /// @param initialisation the encoded call of its `initialize`
    constructor(address implementation, bytes memory initialisation)
        payable
        ERC1967Proxy(implementation, initialisation)
    {}
}
