// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Fixture} from "./Fixture.sol";

/// @dev Reads as a consumer does: from another contract, in a transaction that has touched nothing before.
contract Consumer {
    /// @return used the gas of the call, the cold account access among it
    function cost(address feed, bytes calldata call) external view returns (uint256 used) {
        bytes memory data = call;
        bool ok;
        assembly ("memory-safe") {
            let before := gas()
            ok := staticcall(gas(), feed, add(data, 32), mload(data), 0, 0)
            used := sub(before, gas())
        }
        require(ok, "the read reverted");
    }
}

/// @dev Creates what it is sent, because forge keeps no account of a creation's gas. 0.1 % above a transaction
/// that creates the contract itself.
contract Factory {
    fallback() external {
        assembly ("memory-safe") {
            let code := mload(0x40)
            calldatacopy(code, 0, calldatasize())
            mstore(0, create(0, code, calldatasize()))
            return(0, 32)
        }
    }
}

/// @title A gas snapshot: measured, and compared with a file of its own.
/// @notice `GAS_UPDATE=true` writes the file instead. Each call is a transaction of its own (`isolate`), so the
/// figures of a submission include the 21,000 and the calldata. A runner's name ends in `GasTest`; its file is
/// `gas.json` for the plain feed and `gas/<mode>.json` for every other mode.
abstract contract GasSuite is Fixture {
    /// @dev What many transactions of one kind cost.
    struct Tally {
        uint256 best;
        uint256 worst;
        uint256 sum;
        uint256 count;
    }

    Consumer internal consumer;
    Factory private factory;

    function setUp() public virtual {
        consumer = new Consumer();
        factory = new Factory();
    }

    /// @dev Compares the file, or writes it.
    function _settle(string memory path, string memory json) internal {
        if (vm.envOr("GAS_UPDATE", false)) {
            vm.writeFile(path, json);
        } else {
            vm.assertEq(json, vm.readFile(path), string.concat(path, " differs; GAS_UPDATE=true writes it"));
        }
    }

    /// @return created the new contract
    /// @return used the gas of the transaction
    function _deploy(bytes memory code, bytes memory arguments)
        internal
        returns (address created, uint256 used)
    {
        (bool ok, bytes memory data) = address(factory).call(bytes.concat(code, arguments));
        used = vm.lastCallGas().gasTotalUsed;
        created = abi.decode(data, (address));
        vm.assertTrue(ok && created != address(0), "deployment");
    }

    /// @dev Adds the transaction that was made last.
    function _count(Tally memory tally) internal view returns (uint256 used) {
        used = vm.lastCallGas().gasTotalUsed;
        if (tally.count == 0 || used < tally.best) tally.best = used;
        if (used > tally.worst) tally.worst = used;
        tally.sum += used;
        ++tally.count;
    }

    function _average(Tally memory tally) internal pure returns (uint256) {
        return tally.sum / tally.count;
    }

    /// @dev `"average": a, "best": b, "worst": c`.
    function _fields(Tally memory tally) internal pure returns (string memory) {
        return string.concat(
            _field("average", _average(tally)),
            ", ",
            _field("best", tally.best),
            ", ",
            _field("worst", tally.worst)
        );
    }

    function _field(string memory name, uint256 value) internal pure returns (string memory) {
        return string.concat("\"", name, "\": ", vm.toString(value));
    }

    /// @dev A line of the file: a named object of fields, which are separated by ", ".
    function _object(string memory name, string memory fields) internal pure returns (string memory) {
        return string.concat("  \"", name, "\": {", fields, "}");
    }

    /// @dev The file: its lines, which are separated by ",\n".
    function _file(string memory lines) internal pure returns (string memory) {
        return string.concat("{\n", lines, "\n}\n");
    }
}
