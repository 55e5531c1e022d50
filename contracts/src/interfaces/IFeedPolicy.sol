// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title When the operator means to write a round, for consumers to read.
/// @notice A statement, not a rule: no submission is refused for it, and none is due because of it. A consumer takes
/// its limit for stale data from here instead of from a web page.
interface IFeedPolicy {
    /// @notice The statement changed.
    event PolicyChanged(uint32 heartbeatSeconds, uint32 deviationPpm);

    /// @notice States when rounds are meant to be written. Only the owner.
    /// @param heartbeatSeconds the longest time between two rounds, in seconds; 0 when there is none
    /// @param deviationPpm the move of the price that makes a new round, in millionths of the latest answer (5000 is
    /// 0.5 %); 0 when moves make none
    function setPolicy(uint32 heartbeatSeconds, uint32 deviationPpm) external;

    /// @notice The statement; both 0 when none was made.
    /// @return heartbeatSeconds the longest time between two rounds, in seconds; 0 when there is none
    /// @return deviationPpm the move of the price that makes a new round, in millionths of the latest answer; 0 when
    /// moves make none
    function policy() external view returns (uint32 heartbeatSeconds, uint32 deviationPpm);
}
