// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../IOwned.sol";

/// @title A set of signers of which f + 1 together speak for all, f of them being allowed to lie.
/// @notice What is signed and how, in bytes; numbers are big-endian and `|` puts one after the other:
///
///     configDigest = keccak256(configCount2 | f1 | n x signer20)
///     domain       = keccak256(chainId32 | contract32 | configDigest32)      (abi.encode of the three)
///     digest       = keccak256(domain32 | report)
///     attestation  = bitmap4 | (f + 1) x (r32 | s32)
///
/// `configCount` is the number of the configuration, from 1; signers stand in the order they were set in. A report
/// is thereby bound to one chain, one contract and one configuration: a new set, even of the same signers, ends
/// every report that was signed before.
///
/// The digest is signed as it is, without any prefix. Bit i of the bitmap says that signer i signed; signatures follow
/// in the order of the signers, the lowest first. Exactly f + 1 bits are set: one more would be paid for in vain.
///
/// A signature has no recovery byte: `s` is the one of `s` and `N - s` for which `v` is 27 (`yParity` 0), so a signer
/// that comes out with `v` 28 gives `N - s` in place of `s`. Half of all signatures hence have a high `s`, and nothing
/// is lost by it: that a signature has a second form lets one signer count twice only where signatures are counted.
/// Here signers are, by their bits, and only one of the two forms recovers with 27.
interface ISignerSet is IOwned {
    /// @notice There must be at least 3f + 1 and at most 32 signers, and f must be at least 1: a single signer, or a
    /// set in which nobody may fail, is what the contracts with a transmitter are for.
    error InvalidQuorum(uint256 signers, uint256 f);

    /// @notice A signer is the zero address, or stands in the set twice.
    error InvalidSigner(address signer);

    /// @notice No signers were set yet.
    error NoSigners();

    /// @notice The bitmap names signers outside the set.
    error SignersOutOfRange(uint256 bitmap, uint256 signers);

    /// @notice The bitmap does not have exactly f + 1 bits.
    error WrongSignatureCount(uint256 given, uint256 required);

    /// @notice The signature does not belong to the signer. So ends also a report that was signed for another chain,
    /// contract or configuration: compare `configDigest` with the one that was signed for.
    /// @param index the signer's place in the set
    /// @param signer the signer at that place
    /// @param recovered who signed this digest with that signature; zero when it is no signature at all
    /// @param configDigest the present configuration
    error WrongSignature(uint256 index, address signer, address recovered, bytes32 configDigest);

    /// @notice New signers speak from now on, and reports signed before are void.
    event SignersSet(uint256 indexed configCount, bytes32 indexed configDigest, address[] signers, uint8 f);

    /// @notice Replaces the signers; rounds go on where they are. Only the owner.
    /// Refusals: `InvalidQuorum`, `InvalidSigner`, and the text "Configurations exhausted" after 65,535 of them.
    /// @param signers_ between 3f + 1 and 32 accounts
    /// @param f how many of them may be faulty, at least 1
    function setSigners(address[] calldata signers_, uint8 f) external;

    /// @notice The signers and the number of them that may be faulty; an empty list and 0 when none were set.
    function signers() external view returns (address[] memory signers_, uint8 f);

    /// @notice What binds a report to its configuration.
    /// @return configCount number of the configuration, 0 when no signers were set
    /// @return configDigest digest of the configuration
    /// @return domain what stands before a report when it is hashed
    function configuration() external view returns (uint256 configCount, bytes32 configDigest, bytes32 domain);

    /// @notice The digest that signers sign for a report under the present configuration.
    /// @param report the bytes of the report without selector and attestation; they are not examined
    function digestOf(bytes calldata report) external view returns (bytes32);
}
