// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CodeBlob} from "../report/CodeBlob.sol";

/// @title What a report's entries are held against: bounds and announcer of each feed.
/// @notice Sixty-four feeds share a page, which is kept as code: a report then pays for a page what a single slot and
/// an account cost, instead of a slot a feed. Changing a line writes its page anew. A line:
///
///     int64 min | int64 max | announcer20
abstract contract FeedTable {
    uint256 private constant PAGE_SHIFT = 6;
    uint256 private constant PAGE_MASK = 63;
    uint256 private constant LINE_BYTES = 36;

    uint256 private _feedCount;
    mapping(uint256 page => address blob) private _pages;

    /// @dev How many feeds there are.
    function _feeds() internal view returns (uint256) {
        return _feedCount;
    }

    /// @dev Adds a line for one more feed.
    function _addLine(int64 min, int64 max) internal returns (uint256 feed) {
        feed = _feedCount++;
        (bytes memory page,) = _pageOf(feed);
        _pages[feed >> PAGE_SHIFT] = CodeBlob.create(abi.encodePacked(page, min, max, address(0)));
    }

    /// @dev Changes the announcer of a feed that exists.
    function _changeAnnouncer(uint256 feed, address announcer) internal {
        (bytes memory page,) = _pageOf(feed);
        bytes20 text = bytes20(announcer);
        uint256 start = (feed & PAGE_MASK) * LINE_BYTES + 16;
        for (uint256 i = 0; i < text.length; ++i) {
            page[start + i] = text[i];
        }
        _pages[feed >> PAGE_SHIFT] = CodeBlob.create(page);
    }

    /// @dev The page that a feed's line is on, and the feed after the last one on it.
    function _pageOf(uint256 feed) internal view returns (bytes memory page, uint256 feeds) {
        address blob = _pages[feed >> PAGE_SHIFT];
        unchecked {
            // One byte of the code is no line's, and less than a line.
            uint256 lines = blob.code.length / LINE_BYTES;
            page = CodeBlob.read(blob, lines * LINE_BYTES);
            feeds = (feed & ~PAGE_MASK) + lines;
        }
    }

    /// @dev The line of a feed that exists, from its page.
    function _line(bytes memory page, uint256 feed)
        internal
        pure
        returns (int256 min, int256 max, address announcer)
    {
        assembly ("memory-safe") {
            let line := add(add(page, 0x20), mul(and(feed, PAGE_MASK), LINE_BYTES))
            min := sar(192, mload(line))
            max := sar(192, mload(add(line, 8)))
            announcer := shr(96, mload(add(line, 16)))
        }
    }
}
