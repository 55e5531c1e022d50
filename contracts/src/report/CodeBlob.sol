// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Bytes kept as the code of an account that does nothing.
/// @notice Reading them costs one access to an account, however many they are; a slot holds only 32 of them. They
/// never change: other bytes are another account. The code starts with STOP, so that it cannot be run.
library CodeBlob {
    /// @dev Copies what follows it into the code: PUSH2 length, DUP1, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 0, RETURN.
    bytes9 private constant LOADER = 0x80600c6000396000f3;

    /// @dev Keeps `data` of at most 24,575 bytes in a new account.
    function create(bytes memory data) internal returns (address blob) {
        bytes memory code = abi.encodePacked(bytes1(0x61), uint16(data.length + 1), LOADER, bytes1(0), data);
        assembly ("memory-safe") {
            blob := create(0, add(code, 0x20), mload(code))
        }
        require(blob != address(0), "Blob not created");
    }

    /// @dev The first bytes of what was kept; zeros beyond its end.
    function read(address blob, uint256 length) internal view returns (bytes memory data) {
        data = new bytes(length);
        assembly ("memory-safe") {
            extcodecopy(blob, add(data, 0x20), 1, length)
        }
    }
}
