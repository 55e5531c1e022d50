// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {Signing} from "./Signing.sol";

/// @dev A feed of seven signers, two of whom may be faulty: three sign, five to seven answer.
abstract contract ReportAggregatorFixture is Signing {
    uint256 internal constant SIGNERS = 7;
    uint8 internal constant FAULTS = 2;

    ReportAggregator internal feed;

    function setUp() public virtual {
        feed = _reportAggregator(SIGNERS, FAULTS);
    }

    function _domain() internal view returns (bytes32) {
        return _domainOf(block.chainid, address(feed), 1, _signers(SIGNERS), FAULTS);
    }

    function _digest(bytes memory report) internal view returns (bytes32) {
        return _digestOf(_domain(), report);
    }

    /// @dev The report as the next round's, observed now, with five answers.
    function _next(int256 answer) internal view returns (bytes memory) {
        return _report(feed.latestRound() + 1, block.timestamp, 5, answer);
    }

    function _calldata(bytes memory report, bytes memory attestation) internal view returns (bytes memory) {
        return bytes.concat(feed.transmit.selector, report, attestation);
    }

    function _signed(bytes memory report) internal view returns (bytes memory) {
        return _calldata(report, _attest(_digest(report), FAULTS));
    }

    /// @dev A report that is refused leaves nothing behind.
    function _refusedWith(bytes memory data, bytes memory reason) internal {
        uint256 before = feed.latestRound();
        _refused(address(feed), data, reason);
        vm.assertEq(feed.latestRound(), before);
    }

    function _refusedAnyhow(bytes memory data) internal {
        uint256 before = feed.latestRound();
        (bool ok,) = address(feed).call(data);
        vm.assertFalse(ok);
        vm.assertEq(feed.latestRound(), before);
    }
}
