// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Ccip} from "./Ccip.sol";

/// @title What a CCIP router calls (interface id 0x85572ffb).
/// @notice A router takes a contract that does not claim the interface for one that wants no call, and reports
/// success.
interface IAny2EVMMessageReceiver {
    /// @notice Delivers a message. Only the router may call.
    function ccipReceive(Ccip.Any2EVMMessage calldata message) external;
}
