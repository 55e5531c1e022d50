// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {ISignerSet} from "../interfaces/report/ISignerSet.sol";
import {CodeBlob} from "./CodeBlob.sol";

/// @title The signers of reports, and the check of what they signed.
/// @notice A configuration is one slot and one blob of code with 20 bytes a signer, so that checking a report reads a
/// slot and an account, whatever the number of signers. The slot:
///
///     blob160 [255:96] | configCount16 [95:80] | f8 [79:72] | n8 [71:64] | 64 bits of the heir's [63:0]
///
/// It does not say what a report is, nor which report is accepted when: that is the heir's.
abstract contract SignerSet is ISignerSet, Owned {
    uint256 private constant BLOB_SHIFT = 96;
    uint256 private constant COUNT_SHIFT = 80;
    uint256 private constant FAULTS_SHIFT = 72;
    uint256 private constant SIZE_SHIFT = 64;
    uint256 private constant SIGNERS_MAX = 32;
    uint256 private constant SIGNER_BYTES = 20;
    uint256 private constant SIGNATURE_BYTES = 64;
    uint256 private constant BITMAP_BYTES = 4;
    /// @dev Where a report starts in the call data.
    uint256 internal constant REPORT_START = 4;

    uint256 private _configuration;

    /// @inheritdoc ISignerSet
    function setSigners(address[] calldata signers_, uint8 f) external override onlyOwner {
        _setSigners(signers_, f);
    }

    /// @inheritdoc ISignerSet
    function signers() external view override returns (address[] memory signers_, uint8 f) {
        uint256 config = _configuration;
        bytes memory set = _setOf(config);
        signers_ = new address[](_sizeOf(config));
        for (uint256 i = 0; i < signers_.length; ++i) {
            signers_[i] = _signerAt(set, i);
        }
        f = uint8(_faultsOf(config));
    }

    /// @inheritdoc ISignerSet
    function configuration()
        external
        view
        override
        returns (uint256 configCount, bytes32 configDigest, bytes32 domain)
    {
        uint256 config = _configuration;
        configCount = uint16(config >> COUNT_SHIFT);
        configDigest = keccak256(_setOf(config));
        domain = _domainOf(configDigest);
    }

    /// @inheritdoc ISignerSet
    function digestOf(bytes calldata report) external view override returns (bytes32) {
        return _digest(_domain(_configuration), report);
    }

    /// @dev The slot, read once and handed to the functions below.
    function _loadConfiguration() internal view returns (uint256 config) {
        config = _configuration;
    }

    /// @dev Changes the heir's 64 bits of the slot.
    function _keep(uint256 config, uint64 state) internal {
        _configuration = (config >> SIZE_SHIFT) << SIZE_SHIFT | state;
    }

    function _setSigners(address[] memory signers_, uint8 f) internal {
        if (f == 0 || signers_.length <= 3 * uint256(f) || signers_.length > SIGNERS_MAX) {
            revert InvalidQuorum(signers_.length, f);
        }
        uint256 config = _configuration;
        uint256 count = uint16(config >> COUNT_SHIFT) + uint256(1);
        require(count <= type(uint16).max, "Configurations exhausted");
        address blob = CodeBlob.create(_packed(signers_));
        config = uint256(uint160(blob)) << BLOB_SHIFT | count << COUNT_SHIFT | uint256(f) << FAULTS_SHIFT
            | signers_.length << SIZE_SHIFT | uint64(config);
        _configuration = config;
        emit SignersSet(count, keccak256(_setOf(config)), signers_, f);
    }

    /// @dev Reverts unless f + 1 signers signed the report that ends at `end` in the call data, where the attestation
    /// starts. The heir has checked that the call data ends with the attestation.
    function _checkQuorum(uint256 config, uint256 end) internal view {
        uint256 bitmap = _word(end) >> 224;
        if (bitmap >> _sizeOf(config) != 0) revert SignersOutOfRange(bitmap, _sizeOf(config));
        _checkCount(bitmap, _faultsOf(config) + 1);

        bytes memory set = _setOf(config);
        bytes32 digest = _digest(_domainOf(keccak256(set)), msg.data[REPORT_START:end]);
        unchecked {
            uint256 signature = end + BITMAP_BYTES;
            for (uint256 i = 0; bitmap != 0; ++i) {
                if (bitmap & 1 != 0) {
                    // Zero, for what is no signature, is nobody's address: the set holds none.
                    address recovered =
                        ecrecover(digest, 27, bytes32(_word(signature)), bytes32(_word(signature + 32)));
                    address signer = _signerAt(set, i);
                    if (recovered != signer) revert WrongSignature(i, signer, recovered, keccak256(set));
                    signature += SIGNATURE_BYTES;
                }
                bitmap >>= 1;
            }
        }
    }

    /// @dev Bytes of the attestation that follows a report.
    function _attestationBytes(uint256 config) internal pure returns (uint256) {
        if (config >> SIZE_SHIFT == 0) revert NoSigners();
        unchecked {
            return BITMAP_BYTES + SIGNATURE_BYTES * (_faultsOf(config) + 1);
        }
    }

    function _domain(uint256 config) internal view returns (bytes32) {
        return _domainOf(keccak256(_setOf(config)));
    }

    /// @dev How many signers may be faulty.
    function _faultsOf(uint256 config) internal pure returns (uint256) {
        return uint8(config >> FAULTS_SHIFT);
    }

    /// @dev How many signers there are.
    function _sizeOf(uint256 config) internal pure returns (uint256) {
        return uint8(config >> SIZE_SHIFT);
    }

    /// @dev 32 bytes of the call data, zeros beyond its end.
    function _word(uint256 offset) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }

    /// @dev The bytes whose hash is the configuration's digest: configCount2 | f1 | n x signer20.
    function _setOf(uint256 config) private view returns (bytes memory set) {
        uint256 signersBytes = _sizeOf(config) * SIGNER_BYTES;
        assembly ("memory-safe") {
            set := mload(0x40)
            let start := add(set, 0x20)
            mstore(set, add(signersBytes, 3))
            // The count and f stand side by side in the slot.
            mstore(start, shl(sub(240, COUNT_SHIFT), config))
            extcodecopy(shr(BLOB_SHIFT, config), add(start, 3), 1, signersBytes)
            mstore(0x40, and(add(add(start, signersBytes), 0x42), not(0x1f)))
        }
    }

    function _domainOf(bytes32 configDigest) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), configDigest));
    }

    function _digest(bytes32 domain, bytes calldata report) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(domain, report));
    }

    function _signerAt(bytes memory set, uint256 index) private pure returns (address signer) {
        assembly ("memory-safe") {
            signer := shr(96, mload(add(add(set, 0x23), mul(index, SIGNER_BYTES))))
        }
    }

    function _checkCount(uint256 bitmap, uint256 required) private pure {
        unchecked {
            uint256 given = 0;
            for (; bitmap != 0; bitmap &= bitmap - 1) {
                ++given;
            }
            if (given != required) revert WrongSignatureCount(given, required);
        }
    }

    function _packed(address[] memory signers_) private pure returns (bytes memory packed) {
        packed = "";
        for (uint256 i = 0; i < signers_.length; ++i) {
            if (signers_[i] == address(0)) revert InvalidSigner(signers_[i]);
            for (uint256 j = 0; j < i; ++j) {
                if (signers_[i] == signers_[j]) revert InvalidSigner(signers_[i]);
            }
            packed = bytes.concat(packed, bytes20(signers_[i]));
        }
    }
}
