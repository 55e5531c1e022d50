// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {ICcipLanes} from "./ICcipLanes.sol";

/// @title Publishes the rounds of a feed that stands elsewhere on this chain, such as a phase proxy.
interface ICcipFeedSender is ICcipLanes, ITypeAndVersion {
    /// @notice The sender may not publish.
    error NotPublisher(address sender);

    /// @notice A publisher must be a real account.
    error InvalidPublisher(address publisher);

    /// @notice The feed must be a contract.
    error InvalidFeed(address feed);

    /// @notice An account was granted or refused the right to publish.
    event PublisherChanged(address indexed publisher, bool authorised);

    /// @notice The feed whose rounds are published. Constant.
    function feed() external view returns (address);

    /// @notice Grants or revokes the right to publish. Only the owner.
    function setPublisher(address publisher, bool authorised) external;

    /// @notice Whether the account may publish.
    function isPublisher(address account) external view returns (bool);
}
