// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {Fixture} from "../base/Fixture.sol";

/// @title Signers with known keys, and how reports and attestations are made.
/// @notice Written from the words of the interfaces alone, so that a slip in the contracts does not repeat itself here.
abstract contract Signing is Fixture {
    uint256 internal constant CURVE_ORDER =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint32 internal constant MAX_AGE = 300;

    /// @dev Signer i has the key i + 1.
    function _signers(uint256 n) internal pure returns (address[] memory signers) {
        signers = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            signers[i] = vm.addr(i + 1);
        }
    }

    /// @dev A feed of reports that accepts every answer that can be reported.
    function _reportAggregator(uint256 n, uint8 f) internal returns (ReportAggregator) {
        return new ReportAggregator(
            8, "ETH / USD", type(int64).min, type(int64).max, MAX_AGE, OWNER, _signers(n), f
        );
    }

    /// @dev A report of `count` answers that are all the same.
    function _report(uint256 roundId, uint256 observedAt, uint256 count, int256 answer)
        internal
        pure
        returns (bytes memory)
    {
        int64[] memory answers = new int64[](count);
        for (uint256 i = 0; i < count; ++i) {
            answers[i] = int64(answer);
        }
        return _report(roundId, observedAt, answers);
    }

    function _report(uint256 roundId, uint256 observedAt, int64[] memory answers)
        internal
        pure
        returns (bytes memory report)
    {
        report = abi.encodePacked(uint32(roundId), uint32(observedAt), uint8(answers.length));
        for (uint256 i = 0; i < answers.length; ++i) {
            report = bytes.concat(report, abi.encodePacked(answers[i]));
        }
    }

    /// @dev The domain as the interface words it, from the signers and the number of the configuration.
    function _domainOf(
        uint256 chainId,
        address target,
        uint256 configCount,
        address[] memory signers,
        uint8 f
    ) internal pure returns (bytes32) {
        bytes memory set = abi.encodePacked(uint16(configCount), f);
        for (uint256 i = 0; i < signers.length; ++i) {
            set = bytes.concat(set, abi.encodePacked(signers[i]));
        }
        return keccak256(bytes.concat(bytes32(chainId), bytes32(uint256(uint160(target))), keccak256(set)));
    }

    function _digestOf(bytes32 domain, bytes memory report) internal pure returns (bytes32) {
        return keccak256(bytes.concat(domain, report));
    }

    /// @dev The first f + 1 signers attest.
    function _attest(bytes32 digest, uint8 f) internal pure returns (bytes memory) {
        return _attestBy(digest, _first(f + 1));
    }

    /// @dev The signers of the bitmap attest.
    function _attestBy(bytes32 digest, uint32 bitmap) internal pure returns (bytes memory attestation) {
        attestation = abi.encodePacked(bitmap);
        for (uint256 i = 0; i < 32; ++i) {
            if (bitmap >> i & 1 == 1) attestation = bytes.concat(attestation, _signature(i + 1, digest));
        }
    }

    function _first(uint256 count) internal pure returns (uint32 bitmap) {
        return uint32((uint256(1) << count) - 1);
    }

    /// @dev r and the s for which v is 27.
    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, v == 27 ? uint256(s) : CURVE_ORDER - uint256(s));
    }

    /// @dev Sends a report with the attestation of the first f + 1 signers, as anybody.
    function _transmit(ISignerSet target, bytes4 selector, bytes memory report) internal {
        (, uint8 f) = target.signers();
        bytes memory attestation = _attest(target.digestOf(report), f);
        _send(address(target), bytes.concat(selector, report, attestation));
    }

    /// @dev Makes the next round of a feed of reports.
    function _transmitRound(ReportAggregator target, int256 answer) internal {
        (, uint8 f) = target.signers();
        uint256 next = target.latestRound() + 1;
        bytes memory report = _report(next, block.timestamp, 2 * uint256(f) + 1, answer);
        _transmit(target, target.transmit.selector, report);
    }

    function _send(address target, bytes memory data) internal {
        (bool ok, bytes memory reason) = target.call(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    /// @dev The call fails, and says exactly this.
    function _refused(address target, bytes memory data, bytes memory reason) internal {
        (bool ok, bytes memory given) = target.call(data);
        vm.assertFalse(ok);
        vm.assertEq(given, reason);
    }

    function _draw(uint256 seed, uint256 index) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, index)));
    }
}
