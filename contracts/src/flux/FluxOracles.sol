// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IFluxAggregator} from "../interfaces/flux/IFluxAggregator.sol";

/// @title Who may submit, who administers their places, and who may open rounds without submitting.
/// @notice What a submission needs to know of an oracle is one word, which it writes back:
///
///     starting32 [255:224] | ending32 [223:192] | reported32 [191:160] | started32 [159:128] | latest64 [127:64]
///     | position8 [7:0]
///
/// `starting` and `ending` are the first and the last round it may submit to, 2^32 - 1 without end; `reported` and
/// `started` are the latest rounds it submitted to and opened; `latest` is the cell of its latest submission;
/// `position` is its place in the list. A removed oracle keeps its word, for it may still submit to the next round and
/// may come back.
abstract contract FluxOracles is IFluxAggregator {
    /// @dev An account that may open rounds.
    struct Requester {
        bool authorized;
        uint32 delay;
        uint32 lastStarted;
    }

    uint256 private constant ORACLES_MAX = 77;
    uint256 private constant NO_END = type(uint32).max;

    uint256 private constant STARTING_SHIFT = 224;
    uint256 private constant ENDING_SHIFT = 192;
    uint256 private constant REPORTED_SHIFT = 160;
    uint256 private constant STARTED_SHIFT = 128;
    uint256 private constant LATEST_SHIFT = 64;
    uint256 private constant POSITION = type(uint8).max;

    mapping(address oracle => uint256 word) private _oracles;
    mapping(address oracle => address admin) private _admins;
    mapping(address oracle => address admin) private _pendingAdmins;
    mapping(address requester => Requester) private _requesters;
    address[] private _list;

    // ------------------------------------------------------------------ an oracle's word

    function _loadOracle(address account) internal view returns (uint256 oracle) {
        return _oracles[account];
    }

    /// @dev The first round it may submit to, 0 for an account that never was an oracle.
    function _startingOf(uint256 oracle) internal pure returns (uint256) {
        return oracle >> STARTING_SHIFT;
    }

    /// @dev The last round it may submit to.
    function _endingOf(uint256 oracle) internal pure returns (uint256) {
        return uint32(oracle >> ENDING_SHIFT);
    }

    /// @dev The latest round it submitted to.
    function _reportedOf(uint256 oracle) internal pure returns (uint256) {
        return uint32(oracle >> REPORTED_SHIFT);
    }

    /// @dev The latest round it opened.
    function _startedBy(uint256 oracle) internal pure returns (uint256) {
        return uint32(oracle >> STARTED_SHIFT);
    }

    /// @dev The cell of its latest submission.
    function _latestOf(uint256 oracle) internal pure returns (uint256) {
        return uint64(oracle >> LATEST_SHIFT);
    }

    /// @dev The same oracle after it opened a round.
    function _withStarted(uint256 oracle, uint256 roundId) internal pure returns (uint256) {
        return _put(oracle, STARTED_SHIFT, type(uint32).max, roundId);
    }

    /// @dev Stores the oracle after it submitted to a round.
    function _keepReport(address account, uint256 oracle, uint256 roundId, uint256 cell) internal {
        oracle = _put(oracle, REPORTED_SHIFT, type(uint32).max, roundId);
        _oracles[account] = _put(oracle, LATEST_SHIFT, type(uint64).max, cell);
    }

    function _put(uint256 word, uint256 shift, uint256 mask, uint256 value) private pure returns (uint256) {
        return (word & ~(mask << shift)) | (value << shift);
    }

    // ------------------------------------------------------------------ the list of oracles

    /// @param current the latest round
    function _change(
        uint32 current,
        address[] calldata removed,
        address[] calldata added,
        address[] calldata addedAdmins
    ) internal {
        for (uint256 i = 0; i < removed.length; ++i) {
            _remove(removed[i], current);
        }
        require(added.length == addedAdmins.length, "need same oracle and admin count");
        require(_list.length + added.length <= ORACLES_MAX, "max oracles allowed");
        for (uint256 i = 0; i < added.length; ++i) {
            _add(added[i], addedAdmins[i], current);
        }
    }

    function _add(address account, address admin, uint32 current) private {
        uint256 oracle = _oracles[account];
        uint256 ending = _endingOf(oracle);
        require(ending != NO_END, "oracle already enabled");
        require(admin != address(0), "cannot set admin to 0");
        address before = _admins[account];
        require(before == address(0) || before == admin, "owner cannot overwrite admin");

        // One that comes back in the last round it was allowed goes on in it.
        uint256 starting = current != 0 && current == ending ? current : current + 1;
        oracle = _put(oracle, STARTING_SHIFT, type(uint32).max, starting);
        oracle = _put(oracle, ENDING_SHIFT, type(uint32).max, NO_END);
        _oracles[account] = _put(oracle, 0, POSITION, _list.length);
        _list.push(account);
        _admins[account] = admin;
        emit OraclePermissionsUpdated(account, true);
        emit OracleAdminUpdated(account, admin);
    }

    function _remove(address account, uint32 current) private {
        uint256 oracle = _oracles[account];
        require(_endingOf(oracle) == NO_END, "oracle not enabled");
        // The tail takes its place, and goes first: the account may be the tail itself.
        uint256 position = oracle & POSITION;
        address tail = _list[_list.length - 1];
        _oracles[tail] = _put(_oracles[tail], 0, POSITION, position);
        _oracles[account] = _put(oracle, ENDING_SHIFT, type(uint32).max, current + 1);
        _list[position] = tail;
        _list.pop();
        emit OraclePermissionsUpdated(account, false);
    }

    /// @inheritdoc IFluxAggregator
    function getOracles() external view override returns (address[] memory) {
        return _list;
    }

    /// @inheritdoc IFluxAggregator
    function oracleCount() public view override returns (uint8) {
        return uint8(_list.length);
    }

    // ------------------------------------------------------------------ admins of oracles

    /// @inheritdoc IFluxAggregator
    function getAdmin(address oracle) external view override returns (address) {
        return _admins[oracle];
    }

    /// @inheritdoc IFluxAggregator
    function transferAdmin(address oracle, address newAdmin) external override {
        require(_admins[oracle] == msg.sender, "only callable by admin");
        _pendingAdmins[oracle] = newAdmin;
        emit OracleAdminUpdateRequested(oracle, msg.sender, newAdmin);
    }

    /// @inheritdoc IFluxAggregator
    function acceptAdmin(address oracle) external override {
        require(_pendingAdmins[oracle] == msg.sender, "only callable by pending admin");
        _pendingAdmins[oracle] = address(0);
        _admins[oracle] = msg.sender;
        emit OracleAdminUpdated(oracle, msg.sender);
    }

    // ------------------------------------------------------------------ requesters

    function _requester(address account) internal view returns (Requester storage) {
        return _requesters[account];
    }

    function _setRequester(address account, bool authorized, uint32 delay) internal {
        if (_requesters[account].authorized == authorized) return;
        if (authorized) {
            _requesters[account].authorized = true;
            _requesters[account].delay = delay;
        } else {
            delete _requesters[account];
        }
        emit RequesterPermissionsSet(account, authorized, delay);
    }
}
