// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {Fixture} from "./base/Fixture.sol";
import {Listener} from "./base/Listener.sol";

/// @title Everybody who may touch a feed and its proxy, at random, and what each touch may change.
/// @notice Each action compares the state before and after it (INVARIANTS.md) and fails the run by a flag, since a
/// revert inside an action is an ordinary event.
contract World is Fixture {
    struct State {
        uint256 latest;
        bool paused;
        address owner;
        address pending;
        bool[3] authorised;
        uint256 proxied;
        uint16 phase;
        address validator;
        uint32 validatorGas;
        uint32 heartbeat;
        uint32 deviation;
        uint256 told;
    }

    AggregatorProxy public proxy;
    Aggregator public feed;
    Listener public listener = new Listener();
    /// @dev How many groups each feed keeps behind its latest one, 0 for all.
    uint32 private immutable groups;
    address[3] private people = [OWNER, TRANSMITTER, STRANGER];
    /// @dev What each id of the proxy said when it was first read.
    mapping(uint256 id => bytes) private said;
    uint256[] private ids;

    string public broken;
    uint256 public written;
    uint256 public handovers;
    uint256 public phases;
    uint256 public notices;

    constructor(uint32 groups_) {
        groups = groups_;
        feed = _aggregator(8, -1e30, 1e30, groups_);
        proxy = new AggregatorProxy(address(feed), OWNER);
    }

    // -------------------------------------------------------------- actions

    function submitNext(uint256 who, int256 answer, uint32 gap) external {
        vm.warp(block.timestamp + gap % 100_000);
        _submitAs(people[who % 3], feed.latestRound() + 1, answer % 1.1e30);
    }

    /// @dev Enough rounds for a bounded history to forget some.
    function submitMany(int256 answer, uint32 gap) external {
        for (uint256 i = 0; i < 7; ++i) {
            vm.warp(block.timestamp + gap % 30_000);
            _submitAs(TRANSMITTER, feed.latestRound() + 1, answer % 1e30 + int256(i));
        }
    }

    function submitAny(uint256 who, uint256 roundId, int256 answer) external {
        _submitAs(people[who % 3], who % 2 == 0 ? roundId % 8 : roundId, answer);
    }

    function setTransmitter(uint256 who, uint256 whom, bool authorised) external {
        address sender = people[who % 3];
        State memory pre = _state();
        bool ok =
            _call(sender, address(feed), abi.encodeCall(feed.setTransmitter, (people[whom % 3], authorised)));
        State memory post = _state();
        _check(ok == (sender == pre.owner), "only the owner changes roles");
        pre.authorised[whom % 3] = ok ? authorised : pre.authorised[whom % 3];
        _check(_same(pre, post), "setTransmitter changes one role and nothing else");
    }

    function pause(uint256 who, bool on) external {
        address sender = people[who % 3];
        State memory pre = _state();
        bytes memory call = on ? abi.encodeCall(feed.pause, ()) : abi.encodeCall(feed.unpause, ());
        bool ok = _call(sender, address(feed), call);
        State memory post = _state();
        _check(ok == (sender == pre.owner), "only the owner pauses");
        if (ok) pre.paused = on;
        _check(_same(pre, post), "pause changes the pause bit and nothing else");
    }

    function setValidator(uint256 who, bool on, uint32 gasLimit) external {
        address sender = people[who % 3];
        address validator = on ? address(listener) : address(0);
        gasLimit = on ? 300_000 + gasLimit % 100_000 : 0;
        State memory pre = _state();
        bool ok = _call(sender, address(feed), abi.encodeCall(feed.setValidator, (validator, gasLimit)));
        State memory post = _state();
        _check(ok == (sender == pre.owner), "only the owner sets the validator");
        if (ok) (pre.validator, pre.validatorGas) = (validator, gasLimit);
        _check(_same(pre, post), "setValidator changes the validator and nothing else");
    }

    function setPolicy(uint256 who, uint32 heartbeat, uint32 deviation) external {
        address sender = people[who % 3];
        State memory pre = _state();
        bool ok = _call(sender, address(feed), abi.encodeCall(feed.setPolicy, (heartbeat, deviation)));
        State memory post = _state();
        _check(ok == (sender == pre.owner), "only the owner states the policy");
        if (ok) (pre.heartbeat, pre.deviation) = (heartbeat, deviation);
        _check(_same(pre, post), "setPolicy changes the statement and nothing else");
    }

    function offer(uint256 who, uint256 whom) external {
        address sender = people[who % 3];
        State memory pre = _state();
        bool ok = _call(sender, address(feed), abi.encodeCall(feed.transferOwnership, (people[whom % 3])));
        State memory post = _state();
        _check(
            ok == (sender == pre.owner && people[whom % 3] != sender),
            "only the owner offers, never to itself"
        );
        if (ok) pre.pending = people[whom % 3];
        _check(_same(pre, post), "an offer changes the pending owner and nothing else");
    }

    function accept(uint256 who) external {
        address sender = people[who % 3];
        State memory pre = _state();
        bool ok = _call(sender, address(feed), abi.encodeCall(feed.acceptOwnership, ()));
        State memory post = _state();
        _check(ok == (sender == pre.pending), "only the pending owner accepts");
        if (ok) {
            pre.owner = sender;
            pre.pending = address(0);
            ++handovers;
        }
        _check(_same(pre, post), "accepting changes the owner and nothing else");
    }

    /// @dev A new aggregator, with few or enough rounds, proposed and confirmed by anybody.
    function replace(uint256 who, uint8 rounds) external {
        address sender = people[who % 3];
        Aggregator next = _aggregator(8, -1e30, 1e30, groups);
        for (uint256 i = 0; i < rounds % 5; ++i) {
            _submit(next, int256(i));
        }
        State memory pre = _state();
        bytes memory propose =
            abi.encodeCall(proxy.proposeAggregatorWithBounds, (address(next), 60, type(uint32).max));
        bool ok = _call(sender, address(proxy), propose)
            && _call(sender, address(proxy), abi.encodeCall(proxy.confirmAggregator, (address(next))));
        _check(ok == (sender == OWNER && rounds % 5 >= 3), "confirmed iff by the owner and over three rounds");
        _check(proxy.phaseId() == pre.phase + (ok ? 1 : 0), "a confirmation opens one phase");
        _check(ok || proxy.latestRound() == pre.proxied, "a refusal changes nothing");
        _check(proxy.latestRound() >= pre.proxied, "ids never fall");
        if (!ok) return;
        ++phases;
        feed = next;
        for (uint256 i = 1; i <= rounds % 5; ++i) {
            _remember(uint256(proxy.phaseId()) << 64 | i);
        }
    }

    // -------------------------------------------------------------- checking

    /// @dev Every round ever written still reads as it did, through the proxy, and v2 agrees with v3; but for those a
    /// bounded history has let go, which read as no data.
    /// @return gone how many those are
    function checkHistory() external view returns (uint256 gone) {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            if (_isKept(id)) {
                vm.assertEq(_read(id), said[id], "a stored round changed");
                (bool ok, bytes memory round) = abi.decode(said[id], (bool, bytes));
                vm.assertTrue(ok, "a stored round cannot be read");
                (, int256 answer,, uint256 updatedAt,) =
                    abi.decode(round, (uint80, int256, uint256, uint256, uint80));
                vm.assertEq(proxy.getAnswer(id), answer);
                vm.assertEq(proxy.getTimestamp(id), updatedAt);
            } else {
                ++gone;
                vm.assertEq(_read(id), abi.encode(false, NO_DATA), "a forgotten round is still read");
                vm.assertEq(proxy.getAnswer(id), int256(0));
                vm.assertEq(proxy.getTimestamp(id), 0);
            }
        }
    }

    function _isKept(uint256 id) private view returns (bool) {
        if (groups == 0) return true;
        uint256 latest = Aggregator(proxy.phaseAggregators(uint16(id >> 64))).latestRound();
        return (latest - 1) / 3 <= (uint64(id) - 1) / 3 + groups;
    }

    function _submitAs(address sender, uint256 roundId, int256 answer) private {
        State memory pre = _state();
        int256 before = feed.latestAnswer();
        bool authorised = feed.isTransmitter(sender);
        bool ok = _call(sender, address(feed), abi.encodeCall(feed.submit, (roundId, answer)));
        State memory post = _state();
        bool inside = answer >= feed.minAnswer() && answer <= feed.maxAnswer();
        _check(
            ok == (authorised && !pre.paused && roundId == pre.latest + 1 && inside),
            "written iff authorised, not paused, next and in bounds"
        );
        if (ok) {
            ++written;
            if (pre.validator != address(0)) {
                ++notices;
                pre.told += 1;
                bytes memory notice = abi.encode(pre.latest, before, roundId, answer);
                _check(keccak256(listener.told()) == keccak256(notice), "the validator is told what is read");
            }
            pre.latest += 1;
            pre.proxied += 1;
            _check(feed.latestAnswer() == answer, "the answer is the one given");
            _check(feed.latestTimestamp() == block.timestamp, "the time is the block's");
            _remember(post.proxied);
        }
        _check(_same(pre, post), "a submission adds one round and changes nothing else");
    }

    function _call(address sender, address target, bytes memory data) private returns (bool ok) {
        vm.prank(sender);
        (ok,) = target.call(data);
    }

    function _state() private view returns (State memory state) {
        state.latest = feed.latestRound();
        state.paused = feed.paused();
        state.owner = feed.owner();
        state.pending = feed.pendingOwner();
        for (uint256 i = 0; i < 3; ++i) {
            state.authorised[i] = feed.isTransmitter(people[i]);
        }
        state.proxied = proxy.latestRound();
        state.phase = proxy.phaseId();
        (state.validator, state.validatorGas) = feed.validator();
        (state.heartbeat, state.deviation) = feed.policy();
        state.told = listener.calls();
    }

    function _same(State memory a, State memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    function _remember(uint256 id) private {
        ids.push(id);
        said[id] = _read(id);
    }

    function _read(uint256 id) private view returns (bytes memory) {
        return _outcome(address(proxy), abi.encodeCall(proxy.getRoundData, (uint80(id))));
    }

    function _check(bool holds, string memory sentence) private {
        if (!holds && bytes(broken).length == 0) broken = sentence;
    }
}

abstract contract InvariantsSuite is Fixture {
    World internal world;

    /// @dev How many groups each feed keeps behind its latest one, 0 for all.
    function _groups() internal pure virtual returns (uint32);

    function setUp() public {
        world = new World(_groups());
    }

    /// @dev What forge calls at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    function invariant_everyActionChangesWhatItMay() public view {
        vm.assertEq(world.broken(), "");
    }

    function invariant_storedRoundsNeverChange() public view {
        world.checkHistory();
    }

    /// A walk in which nothing succeeds would prove nothing: this one, drawn by us, reaches every action.
    function test_world_isAlive() public {
        for (uint256 i = 0; i < 400; ++i) {
            uint256 random = uint256(keccak256(abi.encode(i)));
            uint256 kind = random % 20;
            uint256 who = random >> 8;
            if (kind < 6) world.submitNext(who, int256(random), uint32(random >> 16));
            else if (kind == 6) world.submitAny(who, random >> 4, int256(random));
            else if (kind == 7) world.setTransmitter(who, who >> 8, random & 1024 == 0);
            else if (kind == 8) world.pause(who, random & 1024 == 0);
            else if (kind == 9) world.offer(who, who >> 8);
            else if (kind == 10 || kind > 17) world.accept(who);
            else if (kind == 11) world.setValidator(who, random & 2048 == 0, uint32(random >> 32));
            else if (kind == 12) world.setPolicy(who, uint32(random >> 40), uint32(random >> 72));
            else if (kind < 15) world.submitMany(int256(random), uint32(random >> 16));
            else world.replace(who, uint8(who >> 8));
        }
        uint256 gone = world.checkHistory();
        vm.assertEq(world.broken(), "");
        vm.assertTrue(world.written() > 20 && world.handovers() > 2 && world.phases() > 2, "too quiet a walk");
        vm.assertTrue(world.notices() > 10, "nobody is told");
        vm.assertEq(gone > 10, _groups() != 0);
    }
}

contract InvariantsTest is InvariantsSuite {
    function _groups() internal pure override returns (uint32) {
        return 0;
    }
}

contract RingInvariantsTest is InvariantsSuite {
    function _groups() internal pure override returns (uint32) {
        return 4;
    }
}
