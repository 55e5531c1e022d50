// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../../src/interfaces/IOwned.sol";
import {Fixture} from "./Fixture.sol";

/// @title Two-step ownership, for every contract that has an owner.
abstract contract OwnedSuite is Fixture {
    IOwned internal owned;

    /// @dev Deploys the contract under test with that owner.
    function _deployOwnedBy(address owner) internal virtual returns (IOwned);

    function setUp() public virtual {
        owned = _deployOwnedBy(OWNER);
    }

    function test_owner_isGivenAtDeployment() public {
        vm.assertEq(owned.owner(), OWNER);
        vm.assertEq(owned.pendingOwner(), address(0));
        vm.expectRevert(_text("Cannot set owner to zero"));
        _deployOwnedBy(address(0));
    }

    function test_transferOwnership_takesTwoSteps() public {
        vm.expectEmit(true, true, true, true, address(owned));
        emit IOwned.OwnershipTransferRequested(OWNER, STRANGER);
        vm.prank(OWNER);
        owned.transferOwnership(STRANGER);
        vm.assertEq(owned.owner(), OWNER);
        vm.assertEq(owned.pendingOwner(), STRANGER);

        vm.expectEmit(true, true, true, true, address(owned));
        emit IOwned.OwnershipTransferred(OWNER, STRANGER);
        vm.prank(STRANGER);
        owned.acceptOwnership();
        vm.assertEq(owned.owner(), STRANGER);
        vm.assertEq(owned.pendingOwner(), address(0));

        // The one before has no right left.
        vm.expectRevert(ONLY_OWNER);
        vm.prank(OWNER);
        owned.transferOwnership(OWNER);
    }

    function test_transferOwnership_isRefused() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        owned.transferOwnership(STRANGER);
        vm.expectRevert(_text("Cannot transfer to self"));
        vm.prank(OWNER);
        owned.transferOwnership(OWNER);
    }

    function test_transferOwnership_laterOfferReplacesTheEarlier() public {
        vm.prank(OWNER);
        owned.transferOwnership(STRANGER);
        vm.prank(OWNER);
        owned.transferOwnership(address(0));
        vm.expectRevert(_text("Must be proposed owner"));
        vm.prank(STRANGER);
        owned.acceptOwnership();
    }

    function testFuzz_acceptOwnership_onlyByTheOneProposed(address sender) public {
        vm.assume(sender != STRANGER);
        vm.prank(OWNER);
        owned.transferOwnership(STRANGER);
        vm.expectRevert(_text("Must be proposed owner"));
        vm.prank(sender);
        owned.acceptOwnership();
        vm.assertEq(owned.owner(), OWNER);
    }

    /// Nobody can accept an ownership that was not offered, the zero address among them.
    function testFuzz_acceptOwnership_needsAnOffer(address sender) public {
        vm.assume(sender != address(0));
        vm.expectRevert(_text("Must be proposed owner"));
        vm.prank(sender);
        owned.acceptOwnership();
    }
}
