// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {ICcipFeedSender} from "../interfaces/ccip/ICcipFeedSender.sol";
import {CcipLanes} from "./CcipLanes.sol";

/// @title Publishes the rounds of any feed of this chain.
/// @notice Over a phase proxy it goes on through every change of phase: the proxy's ids only rise.
contract CcipFeedSender is ICcipFeedSender, CcipLanes {
    /// @inheritdoc ICcipFeedSender
    address public immutable override feed;

    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "CcipFeedSender 1.0.0";

    /// @inheritdoc ICcipFeedSender
    mapping(address account => bool) public override isPublisher;

    /// @param feed_ the feed whose rounds are published
    /// @param router_ the CCIP router of this chain
    /// @param feedId_ what receivers know the feed by
    /// @param owner_ who administers lanes and publishers
    /// @param publisher who may publish from the start; zero for nobody
    constructor(address feed_, address router_, bytes32 feedId_, address owner_, address publisher)
        Owned(owner_)
        CcipLanes(router_, feedId_)
    {
        if (feed_.code.length == 0) revert InvalidFeed(feed_);
        feed = feed_;
        if (publisher != address(0)) _setPublisher(publisher, true);
    }

    /// @inheritdoc ICcipFeedSender
    function setPublisher(address publisher, bool authorised) external override onlyOwner {
        if (publisher == address(0)) revert InvalidPublisher(publisher);
        if (isPublisher[publisher] != authorised) _setPublisher(publisher, authorised);
    }

    /// @inheritdoc CcipLanes
    function _authorise(address sender) internal view override {
        if (!isPublisher[sender]) revert NotPublisher(sender);
    }

    /// @inheritdoc CcipLanes
    function _feed() internal view override returns (IAggregatorV2V3) {
        return IAggregatorV2V3(feed);
    }

    function _setPublisher(address publisher, bool authorised) private {
        isPublisher[publisher] = authorised;
        emit PublisherChanged(publisher, authorised);
    }
}
