// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipFeedSender} from "../../src/ccip/CcipFeedSender.sol";
import {LocalRouter} from "../../src/ccip/LocalRouter.sol";
import {OracleWithCCIP} from "../../src/ccip/OracleWithCCIP.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {OwnedSuite} from "../base/OwnedSuite.sol";

/// @dev Any contract does for a router or a feed here: nobody calls it.
abstract contract CcipOwned is OwnedSuite {
    function _contract() internal view returns (address) {
        return address(this);
    }
}

contract OracleWithCCIPOwnedTest is CcipOwned {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return
            new OracleWithCCIP(8, "ETH / USD", 1, 1e15, owner, TRANSMITTER, 0, _contract(), bytes32("feed"));
    }
}

contract CcipFeedSenderOwnedTest is CcipOwned {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new CcipFeedSender(_contract(), _contract(), bytes32("feed"), owner, TRANSMITTER);
    }
}

contract CcipFeedReceiverOwnedTest is CcipOwned {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new CcipFeedReceiver(_contract(), bytes32("feed"), 8, "ETH / USD", 1, 1e15, owner);
    }
}

contract LocalRouterOwnedTest is CcipOwned {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new LocalRouter(1, owner);
    }
}
